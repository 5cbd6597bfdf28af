package sqliteprovider_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
	"github.com/duroxide/duroxide-go/validation"
)

// The conformance suite, but for the category whose cases need an engine: that
// runs in e2e. Whatever else a case needs must be there.
func TestConformance(t *testing.T) {
	t.Parallel()
	cases := slices.DeleteFunc(append(validation.Cases(), validation.Extra()...), func(c validation.Case) bool {
		return c.Category == "race_replay"
	})
	for name, h := range map[string]conformance{
		"file, long polling":      {longPolls: true},
		"file, no long polling":   {},
		"memory, long polling":    {memory: true, longPolls: true},
		"memory, no long polling": {memory: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := validation.Check(t.Context(), h.harness(t), cases...)
			if err == nil {
				err = report.Err()
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Log(report)
			// The other half of the cases about waiting does not apply.
			passed := report.Counts[validation.Passed] + report.ExtraCounts[validation.Passed]
			if passed != len(cases)-2 {
				t.Errorf("%d of %d cases passed, want all but 2", passed, len(cases))
			}
		})
	}
}

// conformed is a provider with the path of its file, if it has one.
type conformed struct {
	*sqliteprovider.Provider
	path string
}

type conformance struct{ memory, longPolls bool }

func (c conformance) open(ctx context.Context, path string, clock core.Clock) (core.Provider, error) {
	p, err := sqliteprovider.Open(ctx, path, &sqliteprovider.Options{DisableLongPoll: !c.longPolls, Clock: clock})
	if err != nil {
		return nil, err
	}
	sqliteprovider.SkipFlush(p) // hundreds of stores at once, and no case crashes the machine
	return conformed{p, path}, nil
}

func (c conformance) harness(t *testing.T) validation.Harness {
	return validation.Harness{
		LongPolls:  c.longPolls,
		RequireAll: true,
		NewProvider: func(ctx context.Context) (core.Provider, error) {
			if c.memory {
				return c.open(ctx, ":memory:", nil)
			}
			return c.open(ctx, filepath.Join(t.TempDir(), "test.db"), nil)
		},
		Close: func(_ context.Context, p core.Provider) error { return p.(conformed).Close() },
		CorruptHistory: func(ctx context.Context, p core.Provider, instance string) error {
			return sqliteprovider.Exec(ctx, p.(conformed).Provider,
				`UPDATE history SET event_data = '{"garbage": true}' WHERE instance_id = ?`, instance)
		},
		MaxAttemptCount: func(ctx context.Context, p core.Provider, instance string) (n uint32, err error) {
			found, err := sqliteprovider.QueryRow(ctx, p.(conformed).Provider,
				`SELECT max(attempt_count) FROM orchestrator_queue WHERE instance_id = ?`, []any{instance}, &n)
			if err == nil && !found {
				err = errors.New("no row")
			}
			return n, err
		},
		WithClockOffset: func(ctx context.Context, p core.Provider, d time.Duration) (core.Provider, error) {
			clock := core.OffsetClock(core.SystemClock(), d)
			if c.memory {
				return conformed{sqliteprovider.WithClock(p.(conformed).Provider, clock), ""}, nil
			}
			q, err := c.open(ctx, p.(conformed).path, clock)
			if err == nil {
				t.Cleanup(func() { _ = q.(conformed).Close() })
			}
			return q, err
		},
	}
}
