package validation_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/validation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the harness of the in-memory provider.
func memory() validation.Harness {
	return validation.Harness{
		NewProvider: func(context.Context) (core.Provider, error) { return memprovider.New(nil), nil },
		LongPolls:   true,
		CorruptHistory: func(_ context.Context, p core.Provider, instance string) error {
			p.(*memprovider.Provider).CorruptHistory(instance)
			return nil
		},
		MaxAttemptCount: func(_ context.Context, p core.Provider, instance string) (uint32, error) {
			return p.(*memprovider.Provider).MaxAttemptCount(instance), nil
		},
	}
}

func TestMemprovider(t *testing.T) {
	t.Parallel()
	validation.Run(t, func(*testing.T) validation.Harness { return memory() })
}
