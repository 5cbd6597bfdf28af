package e2e_test

import (
	"context"
	"fmt"
	"testing"

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
