package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

var longPollingCases = inCategory("long_polling",
	Case{
		Name:     "TestShortPollReturnsImmediately",
		Rule:     "A provider that does not wait answers an orchestration fetch at once, whatever the poll time-out.",
		Contract: "3.1",
		polling:  shortPolling,
		run:      func(t *trial) { t.pollShort(t.pollTurn) },
	},
	Case{
		Name:     "TestLongPollWaitsForTimeout",
		Rule:     "A provider that waits keeps an orchestration fetch that finds nothing for the poll time-out.",
		Contract: "3.1",
		polling:  longPolling,
		run:      func(t *trial) { t.pollLong(t.pollTurn) },
	},
	Case{
		Name:     "TestFetchRespectsTimeoutUpperBound",
		Rule:     "No fetch takes noticeably longer than its poll time-out.",
		Contract: "3.1, 3.8",
		run:      fetchRespectsTimeoutUpperBound,
	},
	Case{
		Name:     "TestShortPollWorkItemReturnsImmediately",
		Rule:     "A provider that does not wait answers an activity fetch at once, whatever the poll time-out.",
		Contract: "3.8",
		polling:  shortPolling,
		run:      func(t *trial) { t.pollShort(t.pollWork) },
	},
	Case{
		Name:     "TestLongPollWorkItemWaitsForTimeout",
		Rule:     "A provider that waits keeps an activity fetch that finds nothing for the poll time-out.",
		Contract: "3.8",
		polling:  longPolling,
		run:      func(t *trial) { t.pollLong(t.pollWork) },
	},
)

// pollTurn fetches from an empty store and returns how long that took.
func (t *trial) pollTurn(timeout time.Duration) time.Duration {
	begin := time.Now()
	item, err := t.p.FetchOrchestrationItem(t.ctx, core.FetchOrchestrationItemParams{LockTimeout: longLease, PollTimeout: timeout})
	took := time.Since(begin)
	t.check("fetch_orchestration_item", err)
	if item != nil {
		t.fatalf("fetched instance %s from an empty store", item.Instance)
	}
	return took
}

// pollWork is pollTurn for activities.
func (t *trial) pollWork(timeout time.Duration) time.Duration {
	begin := time.Now()
	item, err := t.p.FetchWorkItem(t.ctx, core.FetchWorkItemParams{LockTimeout: longLease, PollTimeout: timeout})
	took := time.Since(begin)
	t.check("fetch_work_item", err)
	if item != nil {
		t.fatalf("fetched %v from an empty store", item.Item)
	}
	return took
}

func (t *trial) pollShort(poll func(time.Duration) time.Duration) {
	w := t.window("the bound of the harness", t.h.ShortPollBound)
	if took := poll(500 * time.Millisecond); took >= t.h.ShortPollBound {
		t.fatalf("the fetch took %v, want less than %v", took, t.h.ShortPollBound)
	}
	w.close()
}

func (t *trial) pollLong(poll func(time.Duration) time.Duration) {
	const timeout = 500 * time.Millisecond
	if took := poll(timeout); took < timeout {
		t.fatalf("the fetch took %v, want at least %v", took, timeout)
	}
}

func fetchRespectsTimeoutUpperBound(t *trial) {
	const timeout, tolerance = 300 * time.Millisecond, 200 * time.Millisecond
	for _, poll := range []func(time.Duration) time.Duration{t.pollTurn, t.pollWork} {
		w := t.window("the bound", timeout+tolerance)
		if took := poll(timeout); took > timeout+tolerance {
			t.fatalf("the fetch took %v with a poll time-out of %v", took, timeout)
		}
		w.close()
	}
}
