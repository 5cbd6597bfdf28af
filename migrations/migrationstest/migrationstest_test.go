package migrationstest_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	var made []string
	t.Run("inner", func(t *testing.T) {
		for name, test := range map[string]struct {
			db   *migrationstest.DB
			want int
		}{
			"new":   {migrationstest.New(t), migrations.Files()[len(migrations.Files())-1].Version},
			"at 4":  {migrationstest.NewAt(t, 4), 4},
			"at 0":  {migrationstest.NewAt(t, 0), 0},
			"empty": {migrationstest.NewEmpty(t), 0},
		} {
			if !regexp.MustCompile(`^test_[0-9a-f]{8}$`).MatchString(test.db.Schema) {
				t.Errorf("%s: schema is %q", name, test.db.Schema)
			}
			made = append(made, test.db.Schema)
			result, err := migrations.RunPool(t.Context(), test.db.Pool, &migrations.Options{
				Schema: test.db.Schema, Policy: migrations.Verify, UpTo: max(test.want, 1),
			})
			if (err == nil) != (test.want > 0) || result.Version != test.want {
				t.Errorf("%s: got version %d and error %v, want version %d", name, result.Version, err, test.want)
			}
		}
	})
	conn, err := pgx.Connect(t.Context(), migrationstest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var left int
	err = conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname = ANY ($1)`, made).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d schemas left after the test, error %v", left, err)
	}
}

func TestUnqualifiedNamesFail(t *testing.T) {
	t.Parallel()
	db := migrationstest.New(t)
	if _, err := db.Pool.Exec(t.Context(), `SELECT FROM instances`); err == nil {
		t.Error("an unqualified name was found through the pool")
	}
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `CREATE TABLE stray (id bigint)`); err == nil {
		t.Error("an unqualified table was made over the URL")
	}
}

func TestURL(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://u@h/db":                  "postgres://u@h/db?search_path=",
		"postgres://u@h/db?sslmode=disable":  "postgres://u@h/db?search_path=&sslmode=disable",
		"postgres://u@h/db?search_path=mine": "postgres://u@h/db?search_path=",
		"host=h dbname=db":                   "host=h dbname=db search_path=''",
	} {
		t.Setenv("DATABASE_URL", raw)
		if got := migrationstest.URL(t); got != want {
			t.Errorf("%s becomes %s, want %s", raw, got, want)
		}
	}
}

// Without a server a test fails with one line that says how to get one.
func TestWithoutServer(t *testing.T) {
	if os.Getenv("MIGRATIONSTEST_CHILD") != "" {
		migrationstest.New(t)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWithoutServer$", "-test.v")
	child.Env = append(os.Environ(), "MIGRATIONSTEST_CHILD=1", "DATABASE_URL=")
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "go run ./pgtest -- go test ./...") || strings.Contains(string(out), "SKIP") {
		t.Errorf("error %v and output:\n%s", err, out)
	}
}
