package durabletest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

func TestHistory(t *testing.T) {
	durabletest.Run(t, shop(t), nil, func(t *testing.T, env *durabletest.Env) {
		run := durabletest.Start(env, checkout, "o1", Order{ID: "o1", Cents: 4250})
		env.Settle()
		if d := env.History("o1").Open().Diff("4 ExternalSubscribed approve\n5 TimerCreated"); d != "" {
			t.Errorf("what it waits for:\n%s", d)
		}
		if out, err := durabletest.Wait(env, run); err != nil || out != "expired" {
			t.Fatalf("got %q, %v", out, err)
		}
		h := env.History("o1")
		if d := h.Diff(`
			1 OrchestrationStarted checkout: {"cents":4250,"id":"o1"}
			2 ActivityScheduled charge: {"cents":4250,"id":"o1"}
			3 ActivityCompleted charge of 2: receipt of o1
			4 ExternalSubscribed approve
			5 TimerCreated
			6 TimerFired of 5
			7 ActivityScheduled refund: receipt of o1
			8 ExternalSubscribedCancelled approve of 4
			9 ActivityCompleted refund of 7: true
			10 OrchestrationCompleted: expired`); d != "" {
			t.Errorf("history:\n%s", d)
		}
		if diff := cmp.Diff([]string{"charge", "refund"}, h.Activities()); diff != "" {
			t.Error(diff)
		}
		if n := h.Count(core.TypeActivityScheduled, "refund"); n != 1 {
			t.Errorf("%d refunds", n)
		}
		if done := h.Find(core.TypeActivityCompleted, "charge"); len(done) != 1 || done[0].ID != 3 {
			t.Errorf("found %v", done)
		}
		if len(h.Open()) != 0 || h.Count(core.TypeActivityScheduled, "ship")+h.Count(core.TypeTimerFired, "approve") != 0 {
			t.Errorf("found what is not there:\n%s", h)
		}
		if h := env.History("unknown"); len(h) != 0 || h.String() != "" {
			t.Errorf("the history of an unknown instance: %s", h)
		}
	})
}

func TestHistoryDiff(t *testing.T) {
	t.Parallel()
	h := durabletest.History{
		{ID: 1, Data: core.TimerCreated{}},
		{ID: 2, Data: core.ActivityScheduled{Name: "charge", Input: strings.Repeat("é", 60) + "\n"}},
		{ID: 3, Data: core.TimerFired{}, SourceID: new(uint64(1))},
	}
	got := h.Diff(`
		1 TimerCreated
		2 ActivityScheduled pay
		3 TimerFired of 1
		4 OrchestrationCompleted`)
	want := "- 2 ActivityScheduled pay\n+ 2 ActivityScheduled charge: " + strings.Repeat("é", 40) + "…\n- 4 OrchestrationCompleted\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An event that comes before anybody waits for it is nobody's, so that the wait
// stays open; queued messages find their reader.
func TestHistoryOpen(t *testing.T) {
	t.Parallel()
	h := durabletest.History{
		{ID: 1, Data: core.ExternalEvent{Name: "e"}},
		{ID: 2, Data: core.ExternalSubscribed{Name: "e"}},
		{ID: 3, Data: core.QueueSubscribed{Name: "q"}},
		{ID: 4, Data: core.QueueSubscribed{Name: "q"}},
		{ID: 5, Data: core.QueueEventDelivered{Name: "q"}},
		{ID: 6, Data: core.ActivityScheduled{Name: "a"}},
		{ID: 7, Data: core.ActivityCancelRequested{}, SourceID: new(uint64(6))},
		{ID: 8, Data: core.TimerCreated{FireAtMs: uint64(time.Hour.Milliseconds())}},
	}
	if d := h.Open().Diff("2 ExternalSubscribed e\n4 ExternalSubscribedPersistent q\n8 TimerCreated"); d != "" {
		t.Error(d)
	}
}
