package sqliteprovider_test

import (
	"context"
	"database/sql"
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
			// The other half of the cases about waiting does not apply, of the catalogue
			// nothing else does not.
			if n := report.Counts[validation.NotApplicable]; n != 2 {
				t.Errorf("%d cases of the catalogue do not apply, want 2", n)
			}
		})
	}
}

// conformed is a provider with the path of its file, if it has one.
type conformed struct {
	*sqliteprovider.Provider
	path string
	// shared says that the database in memory is another provider's.
	shared bool
}

func (c conformed) Close() error {
	if c.shared {
		return nil
	}
	return c.Provider.Close()
}

type conformance struct{ memory, longPolls bool }

func (c conformance) open(ctx context.Context, path string, clock core.Clock) (core.Provider, error) {
	p, err := sqliteprovider.Open(ctx, path, &sqliteprovider.Options{DisableLongPoll: !c.longPolls, Clock: clock})
	if err != nil {
		return nil, err
	}
	sqliteprovider.SkipFlush(p) // hundreds of stores at once, and no case crashes the machine
	return conformed{Provider: p, path: path}, nil
}

func (c conformance) harness(t *testing.T) validation.Harness {
	return validation.Harness{
		LongPolls:      c.longPolls,
		ShortPollBound: 500 * time.Millisecond, // the four runs share the machine
		CaseTimeout:    10 * time.Minute,
		RequireAll:     true,
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
		CorruptQueues: func(ctx context.Context, p core.Provider, instance string) error {
			for _, queue := range []string{"orchestrator_queue", "worker_queue"} {
				err := sqliteprovider.Exec(ctx, p.(conformed).Provider,
					`UPDATE `+queue+` SET work_item = '{"Garbage": {}}' WHERE instance_id = ?`, instance)
				if err != nil {
					return err
				}
			}
			return nil
		},
		MaxAttemptCount: func(ctx context.Context, p core.Provider, instance string) (n uint32, err error) {
			found, err := sqliteprovider.QueryRow(ctx, p.(conformed).Provider,
				`SELECT max(attempt_count) FROM orchestrator_queue WHERE instance_id = ?`, []any{instance}, &n)
			if err == nil && !found {
				err = errors.New("no row")
			}
			return n, err
		},
		BeginTx: func(ctx context.Context, p core.Provider) (core.OpenTx, error) {
			if c.memory {
				return core.OpenTx{}, core.ErrNotSupported
			}
			db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(p.(conformed).path)+"?_pragma=busy_timeout(10000)")
			if err != nil {
				return core.OpenTx{}, err
			}
			t.Cleanup(func() { _ = db.Close() })
			_, tx, err := sqliteprovider.Begin(db, nil)(ctx)
			return tx, err
		},
		WithClockOffset: func(ctx context.Context, p core.Provider, d time.Duration) (core.Provider, error) {
			clock := core.OffsetClock(core.SystemClock(), d)
			if c.memory {
				return conformed{Provider: sqliteprovider.WithClock(p.(conformed).Provider, clock), shared: true}, nil
			}
			return c.open(ctx, p.(conformed).path, clock)
		},
	}
}
