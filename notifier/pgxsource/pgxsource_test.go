package pgxsource_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/notifier/internal/sourcetest"
	"github.com/duroxide/duroxide-go/notifier/pgxsource"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestNew(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T, name string) notifier.Source {
		config, err := pgx.ParseConfig(sourcetest.WithApplicationName(sourcetest.URL(t), name))
		if err != nil {
			t.Fatal(err)
		}
		return pgxsource.New(config)
	})
}

func TestFromPool(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T, name string) notifier.Source {
		return pgxsource.FromPool(pool(t, func(config *pgxpool.Config) {
			config.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
			config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
				c.RuntimeParams["application_name"] = name
				return nil
			}
		}))
	})
}

func TestBeforeConnectFails(t *testing.T) {
	t.Parallel()
	noToken := errors.New("no token")
	source := pgxsource.FromPool(pool(t, func(config *pgxpool.Config) {
		config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return noToken }
	}))
	if _, err := source.Connect(t.Context()); !errors.Is(err, noToken) {
		t.Errorf("got %v", err)
	}
}

// pool makes a pool that does not connect by itself.
func pool(t *testing.T, configure func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(sourcetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	configure(config)
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
