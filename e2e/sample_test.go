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

// What a newcomer tries first.
func TestSamples(t *testing.T) {
	const soon = 20 * time.Millisecond
	type approval struct {
		By string
		OK bool
	}
	const (
		price    = durable.Activity[string, quote]("price")
		prune    = durable.Activity[string, int]("prune")
		mid      = durable.Orchestration[string, string]("mid")
		counting = durable.Orchestration[int, string]("counting")
		cheaper  = durable.Orchestration[[]string, quote]("cheaper")
		holder   = durable.Orchestration[string, string]("holder")
	)
	// calls compares the names of the activities.
	calls := func(names ...string) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			equal(t, "activities", names, s.scheduled(t, id))
		}
	}
	// raises sends an event once the code waits.
	raises := func(event string, data any) func(t *testing.T, s *store, id string) {
		return func(t *testing.T, s *store, id string) {
			t.Helper()
			s.whenItWaits(t, id)
			must(t, s.client.RaiseEvent(s.ctx, id, event, data))
		}
	}
	flows := map[string]flow{
		"hello world": {code: func(ctx *durable.Context, _ string) (string, error) { return upcase.Call(ctx, "hello") }, want: "HELLO", end: calls("upcase")},
		"control flow": {code: func(ctx *durable.Context, _ string) (string, error) {
			if answer, err := upcase.Call(ctx, "yes"); err != nil || answer == "YES" {
				return relay.Call(ctx, "picked yes")
			}
			return kid.Call(ctx, "picked no")
		}, want: "picked yes", end: calls("upcase", "relay")},
		"loop": {code: func(ctx *durable.Context, _ string) (string, error) {
			out := ""
			for i := range 3 {
				text, err := upcase.Call(ctx, fmt.Sprint("x", i))
				if err != nil {
					return "", err
				}
				out += text
			}
			return out, nil
		}, want: "X0X1X2", end: calls("upcase", "upcase", "upcase")},
		"a slow activity against a timer": {code: func(ctx *durable.Context, _ string) (string, error) {
			return fmt.Sprint(durable.Race(ctx, lasting.Schedule(ctx, ""), ctx.Timer(soon))), nil
		}, want: "1", end: records(core.TypeActivityCancelRequested, 1)},
		"a slow activity against an event": {code: func(ctx *durable.Context, _ string) (string, error) {
			slow, event := lasting.Schedule(ctx, ""), durable.WaitEvent[string](ctx, "go")
			waits(ctx)
			if durable.Race(ctx, slow, event) == 0 {
				return "activity", nil
			}
			data, err := event.Await(ctx)
			return "event " + data, err
		}, meanwhile: raises("go", "on"), want: "event on"},
		"greetings": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, upcase.Schedule(ctx, "hello gabbar"), upcase.Schedule(ctx, "hello samba"))
			return strings.Join(out, ", "), err
		}, want: "HELLO GABBAR, HELLO SAMBA"},
		"polled": {code: func(ctx *durable.Context, _ string) (string, error) {
			event := durable.WaitEvent[string](ctx, "go")
			waits(ctx)
			return event.Await(ctx)
		}, want: "done", meanwhile: func(t *testing.T, s *store, id string) {
			raises("go", "done")(t, s, id)
			var status *durable.Status
			until(t, s.ctx, "it does not end", func() (done bool) {
				var err error
				status, err = s.client.Status(s.ctx, id)
				must(t, err)
				return status.Done()
			})
			equal(t, "state", core.StatusCompleted, status.State)
			equal(t, "output", "done", status.Output)
		}},
		"a child": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := kid.Call(ctx, "a")
			return "parent of " + out, err
		}, want: "parent of A", end: func(t *testing.T, s *store, id string) {
			s.end(t, id+"::sub::2", "A")
			calls("upcase")(t, s, id+"::sub::2")
		}},
		"a child that continues as new": {code: func(ctx *durable.Context, _ string) (string, error) { return counting.Call(ctx, 1) },
			want: "4 in execution 4", end: func(t *testing.T, s *store, id string) {
				equal(t, "executions of the child", 4, len(s.executions(t, id+"::sub::2")))
				equal(t, "of the parent", 1, len(s.executions(t, id)))
			}},
		"two children": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := durable.JoinAll(ctx, kid.Schedule(ctx, "a"), kid.Schedule(ctx, "b"))
			return strings.Join(out, ""), err
		}, want: "AB"},
		"a chain of children": {code: func(ctx *durable.Context, _ string) (string, error) {
			out, err := mid.Call(ctx, "leaf")
			return "root of " + out, err
		}, want: "root of mid of LEAF"},
		"detached starts": {code: func(ctx *durable.Context, _ string) (string, error) {
			return "started", errors.Join(kid.StartDetached(ctx, "first", "a"), kid.StartDetached(ctx, "second", "b"))
		}, want: "started", end: func(t *testing.T, s *store, _ string) {
			for id, output := range map[string]string{"first": "A", "second": "B"} {
				s.end(t, id, output)
				parent, err := s.admin.GetParentID(s.ctx, core.GetParentIDParams{Instance: id})
				must(t, err)
				equal(t, "parent", nil, parent)
			}
		}},
		"continue as new": {code: func(ctx *durable.Context, id string) (string, error) {
			return fmt.Sprint("counted to ", ctx.ExecutionID()), again(ctx, id, 4)
		}, want: "counted to 4", end: func(t *testing.T, s *store, id string) {
			equal(t, "executions", []uint64{1, 2, 3, 4}, s.executions(t, id))
		}},
		"typed": {code: func(ctx *durable.Context, _ string) (string, error) {
			q, err := cheaper.Call(ctx, []string{"sugar", "tea"})
			return fmt.Sprint(q), err
		}, want: "{tea 3}", end: func(t *testing.T, s *store, _ string) {
			run, err := cheaper.Start(s.ctx, s.client, "typed from a client", []string{"milk", "sugar"})
			must(t, err)
			q, err := run.Wait(s.ctx)
			must(t, err)
			equal(t, "output", quote{"milk", 4}, q)
		}},
		"a typed event": {code: func(ctx *durable.Context, _ string) (string, error) {
			event := durable.WaitEvent[approval](ctx, "approval")
			waits(ctx)
			a, err := event.Await(ctx)
			return fmt.Sprint(a), err
		}, meanwhile: raises("approval", approval{"Ann", true}), want: "{Ann true}"},
		"a text and a value race": {code: func(ctx *durable.Context, _ string) (string, error) {
			text, value := lasting.Schedule(ctx, ""), price.Schedule(ctx, "tea")
			if durable.Race(ctx, text, value) == 0 {
				return text.Await(ctx)
			}
			q, err := value.Await(ctx)
			return fmt.Sprint(q), err
		}, want: "{tea 3}"},
		"a parent is cancelled": {code: func(ctx *durable.Context, id string) (string, error) {
			return sleeper.Call(ctx, time.Hour, durable.WithInstanceID(id+", the child"))
		}, fail: "canceled: enough", meanwhile: func(t *testing.T, s *store, id string) {
			until(t, s.ctx, "no child", func() bool {
				_, err := s.client.Status(s.ctx, id+", the child")
				return err == nil
			})
			must(t, s.client.Cancel(s.ctx, id, "enough"))
		}, end: func(t *testing.T, s *store, id string) {
			_, err := sleeper.Run(s.client, id+", the child").Wait(s.ctx)
			if !errors.Is(err, durable.ErrCancelled) || !strings.Contains(err.Error(), "canceled: parent canceled") {
				t.Errorf("the child: %v", err)
			}
		}},
		"an error through a helper": {code: func(ctx *durable.Context, _ string) (string, error) {
			both := func() (string, error) {
				if _, err := failing.Call(ctx, "first"); err != nil {
					return "", fmt.Errorf("both: %w", err)
				}
				return upcase.Call(ctx, "never")
			}
			out, err := both()
			if err != nil {
				return "", err
			}
			return kid.Call(ctx, out)
		}, fail: "both: first", end: calls("failing")},
		"an error is looked at, noted and answered": {code: func(ctx *durable.Context, _ string) (string, error) {
			_, err := failing.Call(ctx, "no luck")
			var failed *durable.ActivityError
			if !errors.As(err, &failed) || failed.Name != "failing" {
				return "", fmt.Errorf("unexpected %w", err)
			}
			if _, err := relay.Call(ctx, "note: "+failed.Error()); err != nil {
				return "", err
			}
			return upcase.Call(ctx, "recovered")
		}, want: "RECOVERED", end: calls("failing", "relay", "upcase")},
		"an activity prunes the executions before": {code: func(ctx *durable.Context, id string) (string, error) {
			n, err := prune.Call(ctx, id)
			if err != nil {
				return "", err
			}
			return fmt.Sprint(n), again(ctx, id, 4)
		}, want: "1", end: func(t *testing.T, s *store, id string) {
			equal(t, "executions", []uint64{4}, s.executions(t, id))
		}},
		"configuration between cycles": {code: func(ctx *durable.Context, id string) (string, error) {
			config, _ := ctx.KVGetRaw("config")
			tick := durable.Dequeue[string](ctx, "tick")
			ctx.SetStatus(fmt.Sprint("cycle ", ctx.ExecutionID(), ": ", config))
			if _, err := tick.Await(ctx); err != nil {
				return "", err
			}
			for {
				update := durable.Dequeue[string](ctx, "config")
				if durable.Race(ctx, update, ctx.Timer(0)) == 1 {
					break
				}
				text, err := update.Await(ctx)
				if err != nil {
					return "", err
				}
				config += text
			}
			ctx.KVSetRaw("config", config)
			return config, again(ctx, id, 3)
		}, want: "abc", meanwhile: func(t *testing.T, s *store, id string) {
			var seen []string
			version := uint64(0)
			for _, updates := range [][]string{{"a", "b"}, nil, {"c"}} {
				status, err := s.client.WaitStatusChange(s.ctx, id, version)
				must(t, err)
				seen, version = append(seen, *status.CustomStatus), status.CustomStatusVersion
				for _, u := range updates {
					must(t, s.client.EnqueueMessage(s.ctx, id, "config", u))
				}
				must(t, s.client.EnqueueMessage(s.ctx, id, "tick", ""))
			}
			equal(t, "cycles", []string{"cycle 1: ", "cycle 2: ab", "cycle 3: ab"}, seen)
		}},
		"a request by event, an answer by key": {code: func(ctx *durable.Context, _ string) (string, error) {
			request := durable.WaitEvent[string](ctx, "request")
			waits(ctx)
			text, err := request.Await(ctx)
			if err != nil {
				return "", err
			}
			if text, err = upcase.Call(ctx, text); err != nil {
				return "", err
			}
			ctx.KVSetRaw("answer", text)
			return durable.Dequeue[string](ctx, "thanks").Await(ctx)
		}, want: "thanks", meanwhile: func(t *testing.T, s *store, id string) {
			raises("request", "how")(t, s, id)
			until(t, s.ctx, "no answer", func() bool {
				answer, err := s.client.KVGetRaw(s.ctx, id, "answer")
				must(t, err)
				return answer != nil && *answer == "HOW"
			})
			must(t, s.client.EnqueueMessage(s.ctx, id, "thanks", "thanks"))
		}},
		"keys of another instance": {code: func(ctx *durable.Context, _ string) (string, error) {
			if _, err := durable.Dequeue[string](ctx, "go").Await(ctx); err != nil {
				return "", err
			}
			value, err := ctx.KVFrom("the holder", "a")
			if err != nil || value == nil {
				return "", fmt.Errorf("read %v, %w", value, err)
			}
			return *value, nil
		}, want: "held", meanwhile: func(t *testing.T, s *store, id string) {
			_, err := holder.Start(s.ctx, s.client, "the holder", "held")
			must(t, err)
			s.end(t, "the holder", "")
			must(t, s.client.EnqueueMessage(s.ctx, id, "go", ""))
		}},
		"stats": {code: func(ctx *durable.Context, _ string) (string, error) {
			ctx.KVSetRaw("a", "12345")
			ctx.KVSetRaw("b", "678")
			nextTurn(ctx)
			return "", nil
		}, end: func(t *testing.T, s *store, id string) {
			stats, err := s.p.GetInstanceStats(s.ctx, core.GetInstanceStatsParams{Instance: id})
			must(t, err)
			events, err := s.client.History(s.ctx, id)
			must(t, err)
			equal(t, "events", len(events), int(stats.HistoryEventCount))
			equal(t, "keys", 2, int(stats.KVUserKeyCount))
			equal(t, "bytes of values", 8, int(stats.KVTotalValueBytes))
			if stats.HistorySizeBytes < 100*stats.HistoryEventCount || stats.QueuePendingCount != 0 {
				t.Errorf("stats %+v", *stats)
			}
		}},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.runFlows(t, flows, cast(
			price.With(priceOf),
			prune.With(func(ctx context.Context, id string) (int, error) {
				result, err := s.admin.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: id})
				if err != nil {
					return 0, err
				}
				return int(result.ExecutionsDeleted), nil
			}),
			mid.With(func(ctx *durable.Context, in string) (string, error) {
				out, err := kid.Call(ctx, in)
				return "mid of " + out, err
			}),
			counting.With(func(ctx *durable.Context, n int) (string, error) {
				if n < 4 {
					return "", counting.ContinueAsNew(n + 1)
				}
				return fmt.Sprint(n, " in execution ", ctx.ExecutionID()), nil
			}),
			// The first price that comes, of a text that never comes and of prices.
			cheaper.With(func(ctx *durable.Context, items []string) (quote, error) {
				text, first := lasting.Schedule(ctx, ""), durable.Go(ctx, func(ctx *durable.Context) (quote, error) {
					var best quote
					for _, item := range items {
						q, err := price.Call(ctx, item)
						if err != nil {
							return quote{}, err
						}
						if best.Item == "" || q.Price < best.Price {
							best = q
						}
					}
					return best, nil
				})
				if durable.Race(ctx, text, first) == 0 {
					return quote{}, errors.New("the text came")
				}
				return first.Await(ctx)
			}),
			holder.With(func(ctx *durable.Context, in string) (string, error) { ctx.KVSetRaw("a", in); return "", nil }))...)
	})
}

// Code that is run again from the top in every turn does what it did, also on a
// store that cannot tell whether it may go on.
func TestSamplesReplayed(t *testing.T) {
	flows := map[string]flow{
		"a detached start, then an activity": {code: func(ctx *durable.Context, id string) (string, error) {
			if err := kid.StartDetached(ctx, id+", detached", "a"); err != nil {
				return "", err
			}
			nextTurn(ctx)
			return upcase.Call(ctx, "b")
		}, want: "B", end: func(t *testing.T, s *store, id string) {
			s.end(t, id+", detached", "A")
			records(core.TypeOrchestrationChained, 1)(t, s, id)
			records(core.TypeActivityScheduled, 2)(t, s, id)
		}},
		"read, add one, write, around activities": {code: func(ctx *durable.Context, _ string) (string, error) {
			n := 0
			for range 4 {
				nextTurn(ctx)
				n = increment(ctx, "n")
			}
			nextTurn(ctx)
			return fmt.Sprint(n), nil
		}, want: "4", end: leaves(map[string]string{"n": "4"})},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.p = struct{ core.Provider }{s.p} // hides what is optional
		s.runFlows(t, flows, cast()...)
	})
}
