package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// All activities of a session run in the process that claimed it, though two
// look for work.
func TestSessions(t *testing.T) {
	t.Parallel()
	const (
		where = durable.Activity[string, string]("where")
		tour  = durable.Orchestration[string, []string]("tour")
	)
	w := newWorld(t)
	run := func(name string) {
		w.run(t, &durable.Options{NodeID: name},
			where.With(func(context.Context, string) (string, error) { return name, nil }),
			tour.With(func(ctx *durable.Context, session string) ([]string, error) {
				var all []*durable.Future[string]
				for range 10 {
					all = append(all, where.Schedule(ctx, "", durable.OnSession(session)))
				}
				names, err := durable.JoinAll(ctx, all...)
				if err != nil {
					return nil, err
				}
				for range 5 {
					name, err := where.Call(ctx, "", durable.OnSession(session))
					if err != nil {
						return nil, err
					}
					names = append(names, name)
				}
				return names, nil
			}))
	}
	run("left")
	run("right")
	client := w.client(t)
	var runs []*durable.Run[[]string]
	for i := range 6 {
		r, err := tour.Start(w.ctx, client, fmt.Sprint("tour-", i), fmt.Sprint("session-", i))
		must(t, err)
		runs = append(runs, r)
	}
	for _, r := range runs {
		names, err := r.Wait(w.ctx)
		must(t, err)
		for _, name := range names {
			equal(t, r.InstanceID(), names[0], name)
		}
	}
	equal(t, "sessions", 6, value[int](t, w, `SELECT count(*) FROM @.sessions`))
	w.nothingLeft(t)
}
