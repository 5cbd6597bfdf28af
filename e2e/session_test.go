package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
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

// sessionOf is an activity that tells the session it runs on.
const sessionOf = durable.Activity[string, string]("session-of")

func tellingSession() durable.Registration {
	return sessionOf.With(func(ctx context.Context, in string) (string, error) {
		if id := durable.Info(ctx).SessionID; id != nil {
			return in + " on " + *id, nil
		}
		return in + " on none", nil
	})
}

// together runs when as many calls of its instance run as its input says.
const together = durable.Activity[int, string]("together")

func meeting() durable.Registration {
	var mu sync.Mutex
	here := map[string]int{}
	full := map[string]chan struct{}{}
	return together.With(func(ctx context.Context, n int) (string, error) {
		id := durable.Info(ctx).InstanceID
		mu.Lock()
		if full[id] == nil {
			full[id] = make(chan struct{})
		}
		if here[id]++; here[id] == n {
			close(full[id])
		}
		met := full[id]
		mu.Unlock()
		select {
		case <-met:
			return "met", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
}

// Activities of sessions do what others do, be the process known by a name of its
// own or by none: then it is known by one that it made up.
func TestSessionActivities(t *testing.T) {
	const price = durable.Activity[string, quote]("price")
	on := durable.OnSession
	// fan calls n activities on each of the sessions, "" for none, and joins them.
	fan := func(ctx *durable.Context, n int, sessions ...string) (string, error) {
		var all []*durable.Future[string]
		for _, session := range sessions {
			for i := range n {
				var o []durable.ActivityOption
				if session != "" {
					o = append(o, on(session))
				}
				all = append(all, sessionOf.Schedule(ctx, fmt.Sprint(i), o...))
			}
		}
		out, err := durable.JoinAll(ctx, all...)
		return strings.Join(out, ", "), err
	}
	code := map[string]flow{
		"one":              {code: func(ctx *durable.Context, _ string) (string, error) { return sessionOf.Call(ctx, "a", on("s")) }, want: "a on s"},
		"with one of none": {code: func(ctx *durable.Context, _ string) (string, error) { return fan(ctx, 1, "s", "") }, want: "0 on s, 0 on none"},
		"several sessions": {code: func(ctx *durable.Context, _ string) (string, error) { return fan(ctx, 1, "r", "s", "t") }, want: "0 on r, 0 on s, 0 on t"},
		"typed": {code: func(ctx *durable.Context, _ string) (string, error) {
			q, err := price.Call(ctx, "tea", on("s"))
			return fmt.Sprint(q), err
		}, want: "{tea 3}"},
		"fan-out": {code: func(ctx *durable.Context, _ string) (string, error) { return fan(ctx, 5, "s") },
			want: "0 on s, 1 on s, 2 on s, 3 on s, 4 on s"},
		"fan-out with others": {code: func(ctx *durable.Context, _ string) (string, error) { return fan(ctx, 2, "s", "") },
			want: "0 on s, 1 on s, 0 on none, 1 on none"},
		"fan-out over several sessions": {code: func(ctx *durable.Context, _ string) (string, error) { return fan(ctx, 2, "r", "", "s") },
			want: "0 on r, 1 on r, 0 on none, 1 on none, 0 on s, 1 on s"},
		// If they ran one at a time, they would never meet.
		"at the same time": {code: func(ctx *durable.Context, id string) (string, error) {
			out, err := durable.JoinAll(ctx, together.Schedule(ctx, 2, on(id)), together.Schedule(ctx, 2, on(id)))
			return strings.Join(out, " "), err
		}, want: "met met"},
	}
	for _, node := range []string{"", "node"} {
		name := "without a node id"
		if node != "" {
			name = "with a node id"
		}
		t.Run(name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s *store) {
				s.runFlowsWith(t, &durable.Options{NodeID: node}, code, tellingSession(), meeting(), price.With(priceOf))
			})
		})
	}
}

// All activities of a session run in the process that claimed it, over executions
// and versions, though two with different limits look for work.
func TestSessionsStayWhereTheyAre(t *testing.T) {
	const (
		where = durable.Activity[string, string]("where")
		trip  = durable.Orchestration[string, string]("trip")
	)
	at := func(ctx *durable.Context, session string) *durable.Future[string] {
		return where.Schedule(ctx, "", durable.OnSession(session))
	}
	// sticks calls n activities of a session, the last ones one after the other,
	// and fails if they ran in more than one process, or not in that one.
	sticks := func(ctx *durable.Context, session, process string, n int) (string, error) {
		var all []*durable.Future[string]
		for range n {
			all = append(all, at(ctx, session))
		}
		names, err := durable.JoinAll(ctx, all...)
		for range 2 {
			if err != nil {
				return "", err
			}
			var name string
			name, err = at(ctx, session).Await(ctx)
			names = append(names, name)
		}
		for _, name := range names {
			if process == "" {
				process = name
			}
			if name != process {
				return "", fmt.Errorf("session %s: %v, not only in %s", session, names, process)
			}
		}
		return process, err
	}
	flows := map[string]flow{
		"one": {code: func(ctx *durable.Context, id string) (string, error) {
			_, err := sticks(ctx, id, "", 5)
			return "ok", err
		}, want: "ok"},
		"a continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			was := ""
			if raw, ok := ctx.KVGetRaw("process"); ok {
				was = raw
			}
			process, err := sticks(ctx, id, was, 2)
			if err != nil {
				return "", err
			}
			ctx.KVSetRaw("process", process)
			return "ok", again(ctx, id, 3)
		}, want: "ok"},
		"a continue as new to another version": {code: func(ctx *durable.Context, id string) (string, error) {
			return trip.Version("1.0.0").Call(ctx, id)
		}, want: "version 2.0.0"},
		"many with others beside them": {code: func(ctx *durable.Context, id string) (string, error) {
			var all []*durable.Future[string]
			for i := range 4 {
				all = append(all, durable.Go(ctx, func(ctx *durable.Context) (string, error) { return sticks(ctx, fmt.Sprint(id, i), "", 3) }),
					where.Schedule(ctx, ""))
			}
			_, err := durable.JoinAll(ctx, all...)
			return "ok", err
		}, want: "ok"},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		node := func(name string) []durable.Registration {
			return []durable.Registration{
				where.With(func(context.Context, string) (string, error) { return name, nil }),
				trip.With(func(ctx *durable.Context, _ string) (string, error) {
					process, err := sticks(ctx, "trip", "", 2)
					if err != nil {
						return "", err
					}
					return "", trip.Version("2.0.0").ContinueAsNew(process)
				}),
				trip.Version("2.0.0").With(func(ctx *durable.Context, process string) (string, error) {
					_, err := sticks(ctx, "trip", process, 2)
					return "version " + ctx.Version(), err
				}),
			}
		}
		right := node("right")
		for name, f := range flows {
			right = append(right, durable.Orchestration[string, string](name).With(f.code))
		}
		runOn(t, s.p, &durable.Options{NodeID: "right", MaxSessions: 2, MaxActivities: 3, Fetchers: 1}, right...)
		s.runFlowsWith(t, &durable.Options{NodeID: "left", MaxSessions: 5}, flows, node("left")...)
	})
}

// A process claims as many sessions as it may, however many activities each of
// them has; what is of no session passes them, and another session waits for a
// place.
func TestSessionLimit(t *testing.T) {
	const (
		held   = durable.Activity[string, string]("held")
		visit  = durable.Orchestration[string, string]("visit")
		passer = durable.Orchestration[string, string]("passer")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		started, release := make(chan string, 10), map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{}), "c": make(chan struct{})}
		runOn(t, s.p, &durable.Options{MaxSessions: 2}, append(cast(),
			held.With(func(ctx context.Context, session string) (string, error) {
				started <- session
				select {
				case <-release[session]:
					return session, nil
				case <-ctx.Done():
					return "", context.Cause(ctx)
				}
			}),
			visit.With(func(ctx *durable.Context, session string) (string, error) {
				return held.Call(ctx, session, durable.OnSession(session))
			}),
			passer.With(func(ctx *durable.Context, in string) (string, error) { return relay.Call(ctx, in) }))...)
		begin := func(id, session string) *durable.Run[string] {
			run, err := visit.Start(s.ctx, s.client, id, session)
			must(t, err)
			return run
		}
		starts := func(session string) {
			t.Helper()
			equal(t, "started", session, receive(t, s.ctx, session+" does not start", started))
		}
		pass := func(id string) {
			t.Helper()
			run, err := passer.Start(s.ctx, s.client, id, "")
			must(t, err)
			_, err = run.Wait(s.ctx)
			must(t, err)
			if len(started) > 0 {
				t.Errorf("session %s has started at the limit", <-started)
			}
		}
		var runs []*durable.Run[string]
		runs = append(runs, begin("a1", "a"))
		starts("a")
		runs = append(runs, begin("a2", "a")) // they take one place together
		starts("a")
		runs = append(runs, begin("b1", "b"))
		starts("b")
		runs = append(runs, begin("c1", "c"))
		pass("p1")
		pass("p2")
		close(release["b"])
		starts("c")
		close(release["a"])
		close(release["c"])
		for _, run := range runs {
			_, err := run.Wait(s.ctx)
			must(t, err)
		}
	})
}
