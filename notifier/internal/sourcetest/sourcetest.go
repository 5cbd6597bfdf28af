// Package sourcetest tests sources of notifications against a server.
package sourcetest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/notifier"
)

// patience is a bound for what happens at once.
const patience = 20 * time.Second

// URL returns DATABASE_URL, or fails the test.
func URL(t testing.TB) string {
	t.Helper()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		t.Fatal("DATABASE_URL is not set: run `go run ./pgtest -- go test ./...` at the root of the repository, " +
			"or set it to a PostgreSQL server")
	}
	return url
}

// Run tests a source. Connections have to name themselves applicationName, so
// that the test finds them.
func Run(t *testing.T, open func(t *testing.T, applicationName string) notifier.Source) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	admin, err := pgx.Connect(ctx, URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	// Names are taken as they are.
	name := "Source test " + rand.Text()
	first, second := `"`+name+`_a`, name+`_b`
	source := open(t, name)

	conn := connect(t, ctx, source)
	defer conn.Close(ctx)
	if err := conn.Listen(ctx, first, second); err != nil {
		t.Fatal(err)
	}
	for _, want := range []notifier.Notification{{Channel: first, Payload: "1"}, {Channel: second}, {Channel: first, Payload: "ü"}} {
		if _, err := admin.Exec(ctx, `SELECT pg_notify($1, $2)`, want.Channel, want.Payload); err != nil {
			t.Fatal(err)
		}
		got, err := conn.Wait(ctx)
		if err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	}

	// Wait ends with the context.
	short, cancelShort := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancelShort)
	if _, err := conn.Wait(short); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was cancelled returned %v", err)
	}

	// An outage is seen, and a new connection works.
	conn = connect(t, ctx, source)
	defer conn.Close(ctx)
	if err := conn.Listen(ctx, first); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(ctx, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1`, name); err != nil {
		t.Fatal(err)
	}
	if msg, err := conn.Wait(ctx); err == nil || ctx.Err() != nil {
		t.Fatalf("got %+v, %v from a connection that is gone", msg, err)
	}
	if err := conn.Listen(ctx, second); err == nil {
		t.Error("subscribed over a connection that is gone")
	}
	again := connect(t, ctx, source)
	defer again.Close(ctx)
	if err := again.Listen(ctx, first); err != nil {
		t.Error(err)
	}
	_ = again.Close(ctx)

	// Nothing comes back once the context has ended.
	if _, err := source.Connect(short); err == nil {
		t.Error("connected after the end of the context")
	}
	if n := count(t, ctx, admin, name); n > 1 {
		t.Errorf("%d connections are left", n)
	}
}

func connect(t *testing.T, ctx context.Context, source notifier.Source) notifier.Conn {
	t.Helper()
	conn, err := source.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// count returns how many connections of that name the server has.
func count(t *testing.T, ctx context.Context, admin *pgx.Conn, name string) (n int) {
	t.Helper()
	err := admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// WithApplicationName adds the parameter to a database URL.
func WithApplicationName(url, name string) string {
	name = strings.ReplaceAll(name, " ", "%20")
	if strings.Contains(url, "?") {
		return url + "&application_name=" + name
	}
	return url + "?application_name=" + name
}
