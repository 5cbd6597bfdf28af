package pqsource_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/notifier/internal/sourcetest"
	"github.com/duroxide/duroxide-go/notifier/pqsource"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T, name string) notifier.Source {
		return pqsource.New(sourcetest.WithApplicationName(sourcetest.URL(t), name) + "&sslmode=disable")
	})
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://127.0.0.1:1/x", "postgres://127.0.0.1:1/x?sslmode=disable", "host=127.0.0.1 port=1",
	} {
		if _, err := pqsource.New(dsn).Connect(t.Context()); err == nil {
			t.Errorf("%s: connected", dsn)
		}
	}
}
