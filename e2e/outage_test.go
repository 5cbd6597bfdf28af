package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// The server ends all connections of the runtimes several times in the middle of
// their work, as a restart does. Everything completes, in its first execution.
func TestConnectionsTerminated(t *testing.T) {
	t.Parallel()
	const (
		step                     = durable.Activity[int, int]("step")
		climb                    = durable.Orchestration[int, int]("climb")
		climbers, steps, outages = 60, 4, 5
	)
	w := newWorld(t)
	code := []durable.Registration{
		step.With(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		climb.With(func(ctx *durable.Context, n int) (int, error) {
			for range steps {
				var err error
				if n, err = step.Call(ctx, n); err != nil {
					return 0, err
				}
			}
			return n, nil
		}),
	}
	client := w.client(t)
	victims := withParam(t, w.URL, "application_name", w.Schema)
	for range 2 {
		p, err := pgprovider.NewFromURL(t.Context(), victims, &pgprovider.Options{
			Schema: w.Schema, LongPoll: pgprovider.LongPoll{RefreshInterval: 500 * time.Millisecond},
		})
		must(t, err)
		t.Cleanup(func() { _ = p.Close() })
		runOn(t, p, &durable.Options{InstanceLock: 2 * time.Second, ActivityLock: 2 * time.Second}, code...)
	}
	var runs []*durable.Run[int]
	for i := range climbers {
		r, err := climb.Start(w.ctx, client, fmt.Sprint("climb-", i), 100*i)
		must(t, err)
		runs = append(runs, r)
	}
	ended := 0
	for n := range outages {
		until(t, w.ctx, "no progress", func() bool {
			return value[int](t, w, `SELECT count(*) FROM @.history WHERE event_type = 'ActivityCompleted'`) >= (n+1)*climbers*steps/(outages+2)
		})
		ended += value[int](t, w, `SELECT count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(pid))
			FROM pg_catalog.pg_stat_activity WHERE application_name = $1`, w.Schema)
	}
	for i, r := range runs {
		n, err := r.Wait(w.ctx)
		must(t, err)
		equal(t, r.InstanceID(), 100*i+steps, n)
	}
	w.nothingLeft(t)
	equal(t, "results", climbers*steps, value[int](t, w, `SELECT count(*) FROM @.history WHERE event_type = 'ActivityCompleted'`))
	equal(t, "executions", climbers, value[int](t, w, `SELECT count(*) FROM @.executions`))
	t.Logf("%d connections ended", ended)
}
