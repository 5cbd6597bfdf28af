package sqliteprovider_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// BenchmarkStep is one activity of an instance: the turn that schedules it, the
// activity, and the message that starts the next.
func BenchmarkStep(b *testing.B) {
	for _, where := range []string{"memory", "file"} {
		b.Run(where, func(b *testing.B) {
			path := ":memory:"
			if where == "file" {
				path = filepath.Join(b.TempDir(), "bench.db")
			}
			p, err := sqliteprovider.Open(b.Context(), path, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = p.Close() })
			ctx := b.Context()
			name, version := "Orch", "1.0.0"
			check := func(err error) {
				if err != nil {
					b.Fatal(err)
				}
			}
			n := uint64(0)
			var turn *core.OrchestrationItem
			for b.Loop() {
				if n%100 == 0 { // a history of at most 300 events
					check(p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: core.StartOrchestrationItem{
						Instance: fmt.Sprint("i", n/100), Orchestration: name, Input: "{}", ExecutionID: 1,
					}}))
				}
				var err error
				turn, err = p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute})
				check(err)
				id := 3*(n%100) + 1
				e := core.Event{InstanceID: turn.Instance, ExecutionID: 1, TimestampMs: 1, DuroxideVersion: "0.1.32"}
				delta := make([]core.Event, 3)
				for i, data := range []core.EventData{
					core.ActivityCompleted{Result: "ok"}, core.ActivityScheduled{Name: "A", Input: "{}"}, core.TimerCreated{FireAtMs: 1},
				} {
					e.ID, e.Data = id+uint64(i), data
					delta[i] = e
				}
				var work []core.WorkItem
				if n%100 != 99 {
					work = []core.WorkItem{core.ActivityExecuteItem{Instance: turn.Instance, ExecutionID: 1, ID: id + 1, Name: "A", Input: "{}"}}
				}
				check(p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
					LockToken: turn.LockToken, ExecutionID: 1, HistoryDelta: delta, WorkerItems: work,
					Metadata: core.ExecutionMetadata{OrchestrationName: &name, OrchestrationVersion: &version},
				}))
				if len(work) > 0 {
					item, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: time.Minute})
					check(err)
					check(p.AckWorkItem(ctx, core.AckWorkItemParams{
						LockToken:  item.LockToken,
						Completion: core.ActivityCompletedItem{Instance: turn.Instance, ExecutionID: 1, ID: id + 1, Result: "ok"},
					}))
				}
				n++
			}
		})
	}
}
