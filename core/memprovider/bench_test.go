package memprovider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

// A turn and an activity while many other instances wait, are locked, and have
// timers: the size must hardly matter.
func BenchmarkStep(b *testing.B) {
	for _, size := range []int{0, 10_000, 100_000} {
		b.Run(fmt.Sprint("backlog=", size), func(b *testing.B) {
			ctx, p := b.Context(), memprovider.New(nil)
			check := func(err error) {
				if err != nil {
					b.Fatal(err)
				}
			}
			for n := range size {
				id := fmt.Sprint("backlog", n)
				check(p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start(id), Delay: time.Duration(n%2) * time.Hour}))
				check(p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: inSession(uint64(n), id)}))
			}
			for range size / 2 {
				_, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Hour})
				check(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				check(p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start("a")}))
				turn, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute})
				check(err)
				check(p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
					LockToken: turn.LockToken, ExecutionID: 1, WorkerItems: []core.WorkItem{activity(1)},
				}))
				work, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: time.Minute})
				check(err)
				check(p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: work.LockToken}))
			}
		})
	}
}

// One instance with many pending timers.
func BenchmarkManyTimersOfOneInstance(b *testing.B) {
	ctx, p := b.Context(), memprovider.New(nil)
	for range 10_000 {
		_ = p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start("a"), Delay: time.Hour})
	}
	for b.Loop() {
		_ = p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start("a")})
		turn, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: turn.LockToken, ExecutionID: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
