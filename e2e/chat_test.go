package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// A chat with a client: it queues what the user says, and follows the custom
// status, which holds the answers. Each turn of the talk is an execution.
func TestChat(t *testing.T) {
	const (
		chat   = durable.Orchestration[int, string]("chat")
		answer = durable.Activity[string, string]("answer")
	)
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil,
			answer.With(func(_ context.Context, said string) (string, error) { return "you said " + said, nil }),
			chat.With(func(ctx *durable.Context, turns int) (string, error) {
				said, err := durable.Dequeue[string](ctx, "user").Await(ctx)
				if err != nil {
					return "", err
				}
				if said == "bye" {
					ctx.SetStatus("over")
					return fmt.Sprint(turns, " turns"), nil
				}
				ctx.SetStatus("thinking")
				text, err := answer.Call(ctx, said)
				if err != nil {
					return "", err
				}
				ctx.SetStatus(text)
				return "", chat.ContinueAsNew(turns + 1)
			}))
		run, err := chat.Start(s.ctx, s.client, "chat", 0)
		must(t, err)
		var seen []string
		version := uint64(0)
		for _, said := range []string{"hello", "how are you", "fine"} {
			must(t, s.client.EnqueueMessage(s.ctx, "chat", "user", said))
			for last := ""; last != "you said "+said; {
				status, err := s.client.WaitStatusChange(s.ctx, "chat", version)
				must(t, err)
				if status.Done() {
					t.Fatalf("it ended: %+v", status)
				}
				last, version = *status.CustomStatus, status.CustomStatusVersion
				if last != "thinking" { // a client need not see every status
					seen = append(seen, last)
				}
			}
		}
		equal(t, "answers", []string{"you said hello", "you said how are you", "you said fine"}, seen)
		// What is said while it thinks waits for its turn, over the executions.
		for _, said := range []string{"one", "two", "bye"} {
			must(t, s.client.EnqueueMessage(s.ctx, "chat", "user", said))
		}
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "output", "5 turns", out)
		status, err := s.client.Status(s.ctx, "chat")
		must(t, err)
		equal(t, "status at the end", "over", *status.CustomStatus)
		equal(t, "version", 11, int(status.CustomStatusVersion))
		equal(t, "executions", 6, len(s.executions(t, "chat")))
	})
}

// Many conversations run on two workers. Each has a session, and what the worker
// remembers of it in memory is all there: no other worker had a part of it.
//
// In each round all conversations have their prompts under way at the same time,
// which takes all slots of both workers. So both have half of the sessions, and
// who did not keep to them would soon be found in the wrong one.
func TestConversations(t *testing.T) {
	const (
		converse = durable.Orchestration[[]string, []string]("converse")
		prompt   = durable.Activity[string, string]("prompt")
		talks    = 8
	)
	onEachStore(t, func(t *testing.T, s *store) {
		all := newRounds(talks)
		// worker remembers what was said in each session.
		worker := func(name string) []durable.Registration {
			var mu sync.Mutex
			memory := map[string][]string{}
			return []durable.Registration{
				prompt.With(func(ctx context.Context, said string) (string, error) {
					if err := all.meet(s.ctx, said); err != nil {
						return "", err
					}
					mu.Lock()
					defer mu.Unlock()
					session := *durable.Info(ctx).SessionID
					memory[session] = append(memory[session], said)
					return name + " heard " + strings.Join(memory[session], " "), nil
				}),
				converse.With(func(ctx *durable.Context, heard []string) ([]string, error) {
					said, err := durable.Dequeue[string](ctx, "user").Await(ctx)
					if err != nil {
						return nil, err
					}
					answer, err := prompt.Call(ctx, said, durable.OnSession("session of "+ctx.InstanceID()))
					if err != nil {
						return nil, err
					}
					if heard = append(heard, answer); len(heard) < 4 {
						return nil, converse.ContinueAsNew(heard)
					}
					return heard, nil
				}),
			}
		}
		for _, name := range []string{"left", "right"} {
			runOn(t, s.p, &durable.Options{NodeID: name, MaxActivities: talks / 2}, worker(name)...)
		}
		var runs []*durable.Run[[]string]
		for i := range talks {
			run, err := converse.Start(s.ctx, s.client, fmt.Sprint("talk ", i), nil)
			must(t, err)
			runs = append(runs, run)
		}
		for _, said := range []string{"a", "b", "c", "d"} {
			for _, run := range runs {
				must(t, s.client.EnqueueMessage(s.ctx, run.InstanceID(), "user", said))
			}
		}
		for _, run := range runs {
			heard, err := run.Wait(s.ctx)
			must(t, err)
			name, _, _ := strings.Cut(heard[0], " ")
			want := []string{name + " heard a", name + " heard a b", name + " heard a b c", name + " heard a b c d"}
			if !slices.Equal(want, heard) {
				t.Errorf("%s: %q", run.InstanceID(), heard)
			}
		}
	})
}
