package replay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// sequence is the history of n activities, one after the other, all completed.
func sequence(n int) []core.Event {
	history := []core.Event{event(1, 0, core.OrchestrationStarted{Name: "orch", Version: "1.0.0"})}
	for range n {
		id := uint64(len(history) + 1)
		history = append(history,
			event(id, 0, core.ActivityScheduled{Name: "a", Input: "x"}),
			event(id+1, id, core.ActivityCompleted{Result: "r"}))
	}
	return history
}

func event(id, source uint64, d core.EventData) core.Event {
	ev := core.Event{ID: id, InstanceID: "inst", ExecutionID: 1, DuroxideVersion: "0.1.32", TimestampMs: 1_700_000_000_000 + id, Data: d}
	if source != 0 {
		ev.SourceID = &source
	}
	return ev
}

func endless(c *replay.Context, _ string) (string, error) {
	for {
		must(c, act(c, "a"))
	}
}

func benchmarkTurn(b *testing.B, in replay.Input, events int) {
	in.Instance, in.Execution, in.Stamp = "inst", 1, "0.1.32"
	in.Now = func() time.Time { return start }
	b.ReportAllocs()
	for b.Loop() {
		if out := replay.Run(in); len(out.Delta) != events {
			b.Fatal(out.Failure, show(out.Delta))
		}
	}
}

// BenchmarkReplay replays histories of several lengths, so that a path that is
// not linear shows.
func BenchmarkReplay(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n, "events"), func(b *testing.B) {
			benchmarkTurn(b, replay.Input{History: sequence(n / 2), Handler: endless}, 1)
		})
	}
}

// BenchmarkTurn is the turn after the first activity: one message, one new
// activity.
func BenchmarkTurn(b *testing.B) {
	benchmarkTurn(b, replay.Input{
		History: sequence(1)[:2], Handler: endless,
		Messages: []core.WorkItem{core.ActivityCompletedItem{Instance: "inst", ExecutionID: 1, ID: 2, Result: "r"}},
	}, 2)
}

// BenchmarkFanIn joins children that completed in one batch.
func BenchmarkFanIn(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n, "children"), func(b *testing.B) {
			in := replay.Input{
				History: []core.Event{event(1, 0, core.OrchestrationStarted{Name: "orch", Version: "1.0.0"})},
				Handler: func(c *replay.Context, _ string) (string, error) {
					futures := make([]*replay.Future, n)
					for i := range futures {
						futures[i] = c.Child("k", "", "x", nil)
					}
					join(c, futures...)
					return "", nil
				},
			}
			for i := range uint64(n) {
				in.History = append(in.History, event(2+i, 0, core.SubOrchestrationScheduled{Name: "k", Instance: "sub::x", Input: "x"}))
				in.Messages = append(in.Messages, core.SubOrchCompletedItem{ParentInstance: "inst", ParentExecutionID: 1, ParentID: 2 + i})
			}
			benchmarkTurn(b, in, n+1)
		})
	}
}
