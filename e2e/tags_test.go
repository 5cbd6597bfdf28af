package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Two runtimes with different tag filters run each what is theirs.
func TestTags(t *testing.T) {
	t.Parallel()
	const (
		where = durable.Activity[string, string]("where")
		tour  = durable.Orchestration[string, []string]("tour")
	)
	w := newWorld(t)
	run := func(name string, tags core.TagFilter) {
		w.run(t, &durable.Options{Tags: tags},
			where.With(func(context.Context, string) (string, error) { return name, nil }),
			tour.With(func(ctx *durable.Context, _ string) ([]string, error) {
				var all []*durable.Future[string]
				for i := range 12 {
					switch i % 3 {
					case 0:
						all = append(all, where.Schedule(ctx, ""))
					case 1:
						all = append(all, where.Schedule(ctx, "", durable.WithTag("gpu")))
					case 2:
						all = append(all, where.Schedule(ctx, "", durable.WithTag("disk")))
					}
				}
				return durable.JoinAll(ctx, all...)
			}))
	}
	run("gpu", core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}})
	run("disk or none", core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"disk"}})
	started, err := tour.Start(w.ctx, w.client(t), "tour", "")
	must(t, err)
	out, err := started.Wait(w.ctx)
	must(t, err)
	for i, name := range out {
		want := "disk or none"
		if i%3 == 1 {
			want = "gpu"
		}
		equal(t, fmt.Sprint("activity ", i), want, name)
	}
	w.nothingLeft(t)
}

// Tagged activities run where their tag is served, and nowhere else.
func TestTagged(t *testing.T) {
	const (
		where = durable.Activity[string, string]("where")
		limit = 256
	)
	gpu := durable.WithTag("gpu")
	// tags compares the tags of the activities that an instance scheduled.
	tags := func(want ...string) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			events, err := s.client.History(s.ctx, id)
			must(t, err)
			var got []string
			for _, ev := range events {
				if d, ok := ev.Data.(core.ActivityScheduled); ok && d.Tag == nil {
					got = append(got, "none")
				} else if ok {
					got = append(got, *d.Tag)
				}
			}
			equal(t, "tags", want, got)
		}
	}
	flows := map[string]flow{
		"on the matching worker": {code: func(ctx *durable.Context, _ string) (string, error) { return where.Call(ctx, "", gpu) },
			want: "gpu worker, tag gpu", end: tags("gpu")},
		"without a tag": {code: func(ctx *durable.Context, _ string) (string, error) { return where.Call(ctx, "") },
			want: "plain worker, no tag", end: tags("none")},
		"both, no overlap": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, where.Schedule(ctx, "", gpu), where.Schedule(ctx, ""), where.Schedule(ctx, "", gpu), where.Schedule(ctx, ""))
			return strings.Join(out, "; "), err
		}, want: "gpu worker, tag gpu; plain worker, no tag; gpu worker, tag gpu; plain worker, no tag"},
		"nobody serves it: a deadline": {code: func(ctx *durable.Context, _ string) (string, error) {
			winner := durable.Race(ctx, where.Schedule(ctx, "", nobody()), ctx.Timer(20*time.Millisecond))
			nextTurn(ctx)
			return fmt.Sprint(winner), nil
		}, want: "1", end: func(t *testing.T, s *store, id string) {
			t.Helper()
			records(core.TypeActivityCancelRequested, 1)(t, s, id)
			until(t, s.ctx, "the activity stays in the queue", func() bool {
				depths, err := s.admin.GetQueueDepths(s.ctx)
				must(t, err)
				return depths.WorkerQueue == 0
			})
		}},
		"above the limit": {code: func(ctx *durable.Context, _ string) (string, error) {
			return where.Call(ctx, "", durable.WithTag(strings.Repeat("x", limit+1)))
		}, fail: "tag size (257 bytes) exceeds limit (256 bytes)"},
		"at the limit": {code: func(ctx *durable.Context, _ string) (string, error) {
			f := where.Schedule(ctx, "", durable.WithTag(strings.Repeat("x", limit)))
			defer f.Cancel()
			return where.Call(ctx, "")
		}, want: "plain worker, no tag"},
		"over continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			out, err := where.Call(ctx, "", gpu)
			if err != nil || out != "gpu worker, tag gpu" {
				return "", errors.Join(err, errors.New(out))
			}
			return out, again(ctx, id, 3)
		}, want: "gpu worker, tag gpu", end: tags("gpu")},
	}
	at := func(node string) durable.Registration {
		return where.With(func(ctx context.Context, _ string) (string, error) {
			if tag := durable.Info(ctx).Tag; tag != nil {
				return node + ", tag " + *tag, nil
			}
			return node + ", no tag", nil
		})
	}
	onEachStore(t, func(t *testing.T, s *store) {
		// Both run turns, so both have the code.
		other := cast(at("gpu worker"))
		for name, f := range flows {
			other = append(other, durable.Orchestration[string, string](name).With(f.code))
		}
		runOn(t, s.p, &durable.Options{Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{"gpu"}}}, other...)
		s.runFlows(t, flows, cast(at("plain worker"))...)
	})
}
