package golden_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/duroxide/duroxide-go/durable"
)

// activities does what those of the recorded runs did. Nobody sleeps: the test
// says when an outcome is there. UntilCancelled also ends with the test.
func activities(end <-chan struct{}) []durable.Registration {
	var flakyCalls, failedCalls atomic.Int64
	return []durable.Registration{
		greet.With(func(_ context.Context, name string) (string, error) { return "Hello, " + name + "!", nil }),
		upper.With(func(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }),
		sleepEcho.With(func(_ context.Context, text string) (string, error) { return text, nil }),
		fails.With(func(_ context.Context, text string) (string, error) { return "", fmt.Errorf("boom: %s", text) }),
		panics.With(func(context.Context, string) (string, error) { panic("activity exploded") }),
		flaky.With(func(context.Context, string) (string, error) {
			if n := flakyCalls.Add(1); n < 3 {
				return "", fmt.Errorf("attempt %d failed", n)
			}
			return "ok on 3", nil
		}),
		alwaysFails.With(func(context.Context, string) (string, error) {
			return "", fmt.Errorf("fail %d", failedCalls.Add(1))
		}),
		untilCancelled.With(func(ctx context.Context, _ string) (string, error) {
			select {
			case <-ctx.Done():
			case <-end:
			}
			return "cancelled", nil
		}),
		add.With(func(_ context.Context, in addInput) (addOutput, error) { return addOutput{in.A + in.B}, nil }),
	}
}
