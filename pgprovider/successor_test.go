package pgprovider_test

import (
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// The process that ended an execution has its clock ahead of the one that looks
// for work: the start of the next execution comes with the messages all the same,
// and in their order.
func TestSuccessorFromAnotherClock(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, noLongPoll)
	ahead := openOn(t, db.URL, db.Schema, noLongPoll, func(o *pgprovider.Options) {
		o.Clock = core.OffsetClock(core.SystemClock(), time.Second)
	})
	message := func(data string) core.WorkItem { return core.QueueMessageItem{Instance: "i", Name: "q", Data: data} }
	first, second, third := message("1"), message("2"), message("3")
	next := core.ContinueAsNewItem{Instance: "i", Orchestration: "Orch", Input: "next"}

	create(t, p, "i")
	enqueue(t, p, core.ExternalRaisedItem{Instance: "i"})
	item := mustFetch(t, p)
	enqueue(t, p, first)
	must(t, ahead.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: []core.Event{event("i", 2, core.OrchestrationContinuedAsNew{Input: "next"})},
		OrchestratorItems: []core.WorkItem{next}, Metadata: core.ExecutionMetadata{Status: core.StatusContinuedAsNew, Output: ptr("next")},
	}))
	enqueue(t, p, second)
	item = mustFetch(t, p)
	equal(t, "messages", []core.WorkItem{first, next, second}, item.Messages)

	// Given back for a while it stays away, with what it came with.
	must(t, p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: item.LockToken, Delay: time.Hour}))
	if item := fetch(t, p); item != nil {
		t.Errorf("fetched %v during the delay", item.Messages)
	}
	enqueue(t, p, third)
	equal(t, "messages during the delay", []core.WorkItem{third}, mustFetch(t, p).Messages)
}
