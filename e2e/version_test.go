package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
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

// job is an orchestration of which there are versions.
const job = durable.Orchestration[string, string]("job")

// telling returns its version and its input, after an event if it is to wait.
func telling(ctx *durable.Context, in string) (string, error) {
	if text, ok := strings.CutPrefix(in, "waits, "); ok {
		event := durable.WaitEvent[string](ctx, "go")
		waits(ctx)
		if _, err := event.Await(ctx); err != nil {
			return "", err
		}
		return ctx.Version() + " " + text, nil
	}
	return ctx.Version() + " " + in, nil
}

// begins starts an instance and returns when its code waits.
func (s *store) begins(t *testing.T, id, in string) {
	t.Helper()
	_, err := job.Start(s.ctx, s.client, id, in)
	must(t, err)
	s.whenItWaits(t, id)
}

func (s *store) raise(t *testing.T, id, event string) {
	t.Helper()
	must(t, s.client.RaiseEvent(s.ctx, id, event, ""))
}

// Starts, children and continue-as-new take the highest version, unless a policy
// pins another one or they name one.
func TestVersionChoice(t *testing.T) {
	const (
		family = durable.Orchestration[string, string]("family")
		upward = durable.Orchestration[string, string]("upward")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		reg := durable.NewRegistry()
		must(t, reg.Add(job.With(telling), job.Version("2.0.0").With(telling),
			family.With(func(ctx *durable.Context, _ string) (string, error) {
				named, err := job.Version("1.0.0").Call(ctx, "named")
				if err != nil {
					return "", err
				}
				free, err := job.Call(ctx, "free")
				if err != nil {
					return "", err
				}
				return named + ", " + free, job.StartDetached(ctx, ctx.InstanceID()+", detached", "detached")
			}),
			upward.With(func(ctx *durable.Context, in string) (string, error) {
				event := durable.WaitEvent[string](ctx, "go")
				waits(ctx)
				if _, err := event.Await(ctx); err != nil {
					return "", err
				}
				return "", upward.ContinueAsNew(in + "1")
			})))
		runRegistry(t, s.p, nil, reg)
		family1 := func(id, output string) {
			t.Helper()
			_, err := family.Start(s.ctx, s.client, id, "")
			must(t, err)
			s.end(t, id, output)
		}
		start := func(id string) {
			t.Helper()
			_, err := job.Start(s.ctx, s.client, id, id)
			must(t, err)
		}

		start("latest")
		s.end(t, "latest", "2.0.0 latest")
		_, err := job.Version("1.0.0").Start(s.ctx, s.client, "exact", "exact")
		must(t, err)
		s.end(t, "exact", "1.0.0 exact")
		family1("by default", "1.0.0 named, 2.0.0 free")
		s.end(t, "by default, detached", "2.0.0 detached")

		must(t, reg.SetPolicy("job", durable.Exact("1.0.0")))
		start("pinned")
		s.end(t, "pinned", "1.0.0 pinned")
		family1("by policy", "1.0.0 named, 1.0.0 free")
		s.end(t, "by policy, detached", "1.0.0 detached")

		must(t, reg.SetPolicy("job", durable.Latest))
		must(t, reg.Add(job.Version("3.0.0").With(telling)))
		family1("upgraded", "1.0.0 named, 3.0.0 free")

		_, err = upward.Start(s.ctx, s.client, "upward", "")
		must(t, err)
		s.whenItWaits(t, "upward")
		must(t, reg.Add(upward.Version("2.0.0").With(func(ctx *durable.Context, in string) (string, error) {
			return fmt.Sprint(in, " then ", ctx.Version(), " in execution ", ctx.ExecutionID()), nil
		})))
		s.raise(t, "upward", "go")
		s.end(t, "upward", "1 then 2.0.0 in execution 2")
	})
}

// An execution keeps the version and the input that its history records, when
// another process, which has a higher version, goes on with it.
func TestReplayKeepsVersionAndInput(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		next := job.With(func(ctx *durable.Context, in string) (string, error) {
			if text, ok := strings.CutPrefix(in, "again, "); ok {
				return "", job.Version("1.0.0").ContinueAsNew("waits, " + text)
			}
			return telling(ctx, in)
		})
		old := runOn(t, s.p, nil, next)
		s.begins(t, "first execution", "waits, first")
		s.begins(t, "second execution", "again, second")
		must(t, old.Shutdown(s.ctx))
		runOn(t, s.p, nil, next, job.Version("2.0.0").With(func(ctx *durable.Context, in string) (string, error) {
			out, err := telling(ctx, in)
			return "by other code: " + out, err
		}))
		s.raise(t, "first execution", "go")
		s.raise(t, "second execution", "go")
		s.end(t, "first execution", "1.0.0 first")
		s.end(t, "second execution", "1.0.0 second")
		equal(t, "executions", []uint64{1, 2}, s.executions(t, "second execution"))
	})
}

// An eternal orchestration takes three events at version 1, and then goes on at
// version 2.
func TestEternalUpgrade(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, job.With(func(ctx *durable.Context, in string) (string, error) {
			event := durable.WaitEvent[string](ctx, "work")
			ctx.SetStatus(fmt.Sprint("after ", len(in), " at ", ctx.Version()))
			data, err := event.Await(ctx)
			if err != nil {
				return "", err
			}
			if in += data; len(in) < 3 {
				return "", job.Version("1.0.0").ContinueAsNew(in)
			}
			return "", job.Version("2.0.0").ContinueAsNew(in)
		}), job.Version("2.0.0").With(func(ctx *durable.Context, in string) (string, error) {
			event := durable.WaitEvent[string](ctx, "work of 2")
			ctx.SetStatus(fmt.Sprint("after ", len(in), " at ", ctx.Version()))
			data, err := event.Await(ctx)
			return in + data, err
		}))
		_, err := job.Version("1.0.0").Start(s.ctx, s.client, "eternal", "")
		must(t, err)
		var seen []string
		version := uint64(0)
		for _, event := range []string{"a", "b", "c", "d"} {
			status, err := s.client.WaitStatusChange(s.ctx, "eternal", version)
			must(t, err)
			seen, version = append(seen, *status.CustomStatus), status.CustomStatusVersion
			name := "work"
			if event == "d" {
				name = "work of 2"
			}
			must(t, s.client.RaiseEvent(s.ctx, "eternal", name, event))
		}
		s.end(t, "eternal", "abcd")
		equal(t, "statuses", []string{"after 0 at 1.0.0", "after 1 at 1.0.0", "after 2 at 1.0.0", "after 3 at 2.0.0"}, seen)
		equal(t, "executions", 4, len(s.executions(t, "eternal")))
	})
}

// What a runtime of an older version of the family began is brought to its end
// by this one.
func TestHistoryOfAnOlderRuntime(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		const stamp = "0.1.10"
		code := cast(job.With(func(ctx *durable.Context, in string) (string, error) {
			out, err := upcase.Call(ctx, in)
			if err != nil {
				return "", err
			}
			event := durable.WaitEvent[string](ctx, "go")
			waits(ctx)
			if _, err := event.Await(ctx); err != nil {
				return "", err
			}
			return relay.Call(ctx, out+"!")
		}))
		old := runOn(t, s.p, &durable.Options{VersionStamp: stamp}, code...)
		s.begins(t, "old", "a")
		must(t, old.Shutdown(s.ctx))
		runOn(t, s.p, nil, code...)
		s.raise(t, "old", "go")
		s.end(t, "old", "A!")
		events, err := s.client.History(s.ctx, "old")
		must(t, err)
		equal(t, "stamp of the start", stamp, events[0].DuroxideVersion)
		if last := events[len(events)-1].DuroxideVersion; last == stamp {
			t.Errorf("the end is stamped %s as well", last)
		}
	})
}

// refusing are the options of a process that is asked for what it does not have,
// until one comes that does.
func refusing() *durable.Options {
	return &durable.Options{UnregisteredBackoff: 20 * time.Millisecond, UnregisteredBackoffMax: 20 * time.Millisecond, MaxAttempts: 10_000}
}

// Of three nodes one has the new activity: back-off carries the work there.
func TestActivityOfOneNode(t *testing.T) {
	const added = durable.Activity[string, string]("added")
	onEachStore(t, func(t *testing.T, s *store) {
		code := job.With(func(ctx *durable.Context, in string) (string, error) {
			waits(ctx)
			return added.Call(ctx, in)
		})
		runOn(t, s.p, refusing(), code)
		runOn(t, s.p, refusing(), code)
		var ids []string
		for i := range 4 {
			ids = append(ids, fmt.Sprint("job ", i))
			s.begins(t, ids[i], ids[i])
		}
		runOn(t, s.p, refusing(), code, added.With(func(_ context.Context, in string) (string, error) { return "done: " + in, nil }))
		for _, id := range ids {
			s.end(t, id, "done: "+id)
		}
	})
}

// A continue-as-new to a version that one of two nodes has ends up there.
func TestVersionOfOneNode(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		one := job.With(func(_ *durable.Context, in string) (string, error) {
			return "", job.Version("2.0.0").ContinueAsNew(in + " from 1")
		})
		runOn(t, s.p, refusing(), one)
		for i := range 4 {
			_, err := job.Version("1.0.0").Start(s.ctx, s.client, fmt.Sprint("job ", i), "x")
			must(t, err)
		}
		// The first execution of each is over before the node with version 2 is there.
		for i := range 4 {
			until(t, s.ctx, "it does not continue", func() bool {
				events, err := s.client.ExecutionHistory(s.ctx, fmt.Sprint("job ", i), 1)
				must(t, err)
				return slices.ContainsFunc(events, func(ev core.Event) bool { return ev.Data.EventType() == core.TypeOrchestrationContinuedAsNew })
			})
		}
		runOn(t, s.p, refusing(), one, job.Version("2.0.0").With(telling))
		for i := range 4 {
			s.end(t, fmt.Sprint("job ", i), "2.0.0 x from 1")
		}
	})
}

// One runtime has the orchestrations and runs what has no tag; the other has
// none and runs what has one.
func TestTagsOfTwoRuntimes(t *testing.T) {
	const where = durable.Activity[string, string]("where")
	at := func(node string) durable.Registration {
		return where.With(func(context.Context, string) (string, error) { return node, nil })
	}
	onEachStore(t, func(t *testing.T, s *store) {
		tagged := refusing()
		tagged.Tags = core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}}
		runOn(t, s.p, tagged, at("tagged"))
		// Turns that the other one gives back wait a moment, and count as attempts.
		runOn(t, s.p, refusing(), at("plain"), job.With(func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, where.Schedule(ctx, "", durable.WithTag("gpu")), where.Schedule(ctx, ""), where.Schedule(ctx, "", durable.WithTag("gpu")))
			return strings.Join(out, ", "), err
		}))
		_, err := job.Start(s.ctx, s.client, "both", "")
		must(t, err)
		s.end(t, "both", "tagged, plain, tagged")
	})
}
