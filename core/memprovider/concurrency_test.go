package memprovider_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Goroutines run instances of ten activities each to their end; every activity
// runs once, and every completion is delivered once.
func TestConcurrentWorkersDoEverythingOnce(t *testing.T) {
	t.Parallel()
	const instances, activities, goroutines = 100, 10, 8
	s := newStore(t)
	for n := range instances {
		s.send(start(fmt.Sprint("i", n)))
	}
	var mu sync.Mutex
	executed := map[core.ActivityIdentifier]int{}
	delivered := map[core.ActivityIdentifier]int{}
	inTurn := map[string]bool{}
	var left atomic.Int64
	left.Store(instances * activities)

	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for left.Load() > 0 {
				turn, err := s.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Hour})
				if err != nil {
					t.Error(err)
					return
				}
				if turn != nil {
					mu.Lock()
					if inTurn[turn.Instance] {
						t.Errorf("%s is in two turns", turn.Instance)
					}
					inTurn[turn.Instance] = true
					mu.Unlock()
					ack := core.AckOrchestrationItemParams{LockToken: turn.LockToken, ExecutionID: 1}
					next := uint64(len(turn.History)) + 1
					for _, m := range turn.Messages {
						switch m := m.(type) {
						case core.StartOrchestrationItem:
							ack.HistoryDelta = append(ack.HistoryDelta, started(next))
							ack.Metadata = named("Orch", "1.0.0")
							for id := range uint64(activities) {
								ack.WorkerItems = append(ack.WorkerItems, core.ActivityExecuteItem{Instance: turn.Instance, ExecutionID: 1, ID: id})
							}
						case core.ActivityCompletedItem:
							ack.HistoryDelta = append(ack.HistoryDelta, event(next, core.ActivityCompleted{Result: m.Result}))
							mu.Lock()
							delivered[core.ActivityIdentifier{Instance: m.Instance, ExecutionID: 1, ActivityID: m.ID}]++
							mu.Unlock()
							left.Add(-1)
						}
						next++
					}
					mu.Lock()
					inTurn[turn.Instance] = false
					mu.Unlock()
					if err := s.AckOrchestrationItem(s.ctx, ack); err != nil {
						t.Error(err)
						return
					}
				}
				work, err := s.FetchWorkItem(s.ctx, core.FetchWorkItemParams{LockTimeout: time.Hour, PollTimeout: time.Millisecond})
				if err != nil {
					t.Error(err)
					return
				}
				if work != nil {
					item := work.Item.(core.ActivityExecuteItem)
					id := core.ActivityIdentifier{Instance: item.Instance, ExecutionID: 1, ActivityID: item.ID}
					mu.Lock()
					executed[id]++
					mu.Unlock()
					completion := core.ActivityCompletedItem{Instance: item.Instance, ExecutionID: 1, ID: item.ID, Result: "r"}
					if err := s.AckWorkItem(s.ctx, core.AckWorkItemParams{LockToken: work.LockToken, Completion: completion}); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	equal(t, "executed", len(executed), instances*activities)
	equal(t, "delivered", len(delivered), instances*activities)
	for id := range executed {
		if executed[id] != 1 || delivered[id] != 1 {
			t.Errorf("%+v: executed %d times, delivered %d times", id, executed[id], delivered[id])
		}
	}
	for n := range instances {
		equal(t, "events", len(s.read(fmt.Sprint("i", n))), activities+1)
	}
}

// Leases run out all the time; each attempt has a token of its own, and only
// one of them is acknowledged.
func TestConcurrentTakeovers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s store) {
		const n = 50
		for id := range n {
			s.send(start(fmt.Sprint(id)))
		}
		var acked, lost atomic.Int64
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for {
					turn, err := s.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: time.Minute})
					if err != nil || turn == nil {
						return
					}
					if worker%2 == 0 && turn.AttemptCount < 3 {
						time.Sleep(lease) // too slow
					} else {
						time.Sleep(lease - 2*time.Millisecond)
					}
					if s.tryAck(turn, func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = []core.Event{started(1)} }) == nil {
						acked.Add(1)
					} else {
						lost.Add(1)
					}
				}
			})
		}
		wg.Wait()
		equal(t, "acknowledged", acked.Load(), int64(n))
		if lost.Load() == 0 {
			t.Error("no lease ran out")
		}
	})
}
