package e2e_test

import (
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// A process with a new version joins one that has only the old version. What
// runs stays at its version until it continues as new; new starts take the
// latest version of whoever picks them up; a start of a version waits for a
// process that has it.
func TestVersionUpgrade(t *testing.T) {
	t.Parallel()
	const job = durable.Orchestration[string, string]("job")
	w := newWorld(t)
	one := job.With(func(ctx *durable.Context, in string) (string, error) {
		event := durable.WaitEvent[string](ctx, "go")
		ctx.SetStatus("one")
		if _, err := event.Await(ctx); err != nil {
			return "", err
		}
		if in == "again" {
			return "", job.ContinueAsNew("once")
		}
		return "one", nil
	})
	two := job.Version("2.0.0").With(func(ctx *durable.Context, _ string) (string, error) { return "two " + ctx.Version(), nil })
	o := &durable.Options{
		UnregisteredBackoff: 50 * time.Millisecond, UnregisteredBackoffMax: 50 * time.Millisecond,
		MaxAttempts: 1000, // the old process refuses the new version until the new one is there
	}

	client := w.client(t)
	old := w.run(t, o, one)
	start := func(id, in string) *durable.Run[string] {
		t.Helper()
		run, err := job.Start(w.ctx, client, id, in)
		must(t, err)
		return run
	}
	wait := func(run *durable.Run[string], want string) {
		t.Helper()
		out, err := run.Wait(w.ctx)
		must(t, err)
		equal(t, run.InstanceID(), want, out)
	}
	stay, again := start("stay", "once"), start("again", "again")
	for _, id := range []string{"stay", "again"} {
		_, err := client.WaitStatusChange(w.ctx, id, 0)
		must(t, err)
	}
	ahead, err := job.Version("2.0.0").Start(w.ctx, client, "ahead", "once")
	must(t, err)
	until(t, w.ctx, "the old process does not refuse the new version", func() bool {
		return value[int](t, w, `SELECT coalesce(max(attempt_count), 0) FROM @.orchestrator_queue`) > 0
	})

	w.run(t, o, one, two)
	wait(ahead, "two 2.0.0")
	must(t, client.RaiseEvent(w.ctx, "stay", "go", ""))
	wait(stay, "one")
	must(t, old.Shutdown(w.ctx))
	must(t, client.RaiseEvent(w.ctx, "again", "go", ""))
	wait(again, "two 2.0.0")
	wait(start("fresh", "once"), "two 2.0.0")
	w.nothingLeft(t)
}
