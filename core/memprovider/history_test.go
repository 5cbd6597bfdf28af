package memprovider_test

import (
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

func TestExecutionsAreSeparate(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for n, delta := range [][]core.Event{
		{started(1), event(2, core.TimerCreated{FireAtMs: 1})},
		{started(1)},
	} {
		s.send(start("a"))
		s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
			p.ExecutionID, p.HistoryDelta = uint64(n)+1, delta
		})
	}
	for executionID, want := range []int{0, 2, 1, 0} {
		got, err := s.ReadWithExecution(s.ctx, core.ReadWithExecutionParams{Instance: "a", ExecutionID: uint64(executionID)})
		s.check(err)
		equal(t, "events", len(got), want)
	}
	equal(t, "latest", s.read("a"), []core.Event{started(1)})
	equal(t, "unknown", len(s.read("nobody")), 0)
}

func TestHistoryIsReturnedAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	// Foreign ids and stamps in the events are none of the provider's business,
	// and order is by id.
	odd := core.Event{ID: 7, SourceID: ptr(uint64(3)), InstanceID: "other", ExecutionID: 99, DuroxideVersion: "0.1.30",
		Data: core.ActivityCompleted{Result: "r"}}
	s.createWith("a", func(p *core.AckOrchestrationItemParams) {
		p.HistoryDelta = []core.Event{odd, started(1), event(core.PoisonEventID, core.KeyValuesCleared{})}
	})
	s.step("a", 1, "", 8, core.KeyValueCleared{Key: "k"})
	want := []core.Event{started(1), odd, event(8, core.KeyValueCleared{Key: "k"}), event(core.PoisonEventID, core.KeyValuesCleared{})}
	equal(t, "read", s.read("a"), want)
	s.send(external("a"))
	equal(t, "fetched", s.turn("a").History, want)
	admin, err := s.ReadHistoryWithExecutionID(s.ctx, core.ReadHistoryWithExecutionIDParams{Instance: "a", ExecutionID: 1})
	s.check(err)
	equal(t, "admin", admin, want)
}

func TestAppend(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	appendTo := func(executionID uint64, list ...core.Event) error {
		return s.AppendWithExecution(s.ctx, core.AppendWithExecutionParams{Instance: "a", ExecutionID: executionID, Events: list})
	}
	s.check(appendTo(1, started(1), event(2, core.KeyValuesCleared{})))
	s.check(appendTo(2, started(1)))
	s.check(appendTo(3))
	wantError(t, appendTo(1, event(3, core.KeyValuesCleared{}), started(2)), "append_with_execution", core.ErrDuplicateEvent)
	wantError(t, appendTo(1, event(3, core.KeyValuesCleared{}), started(0)), "append_with_execution", core.ErrInvalidArgument)
	equal(t, "events", len(s.read("a")), 2)

	// No rows come of it, so the first execution stays the latest.
	executions, err := s.ListExecutions(s.ctx, core.ListExecutionsParams{Instance: "a"})
	s.check(err)
	equal(t, "executions", len(executions), 0)
	latest, err := s.LatestExecutionID(s.ctx, core.LatestExecutionIDParams{Instance: "a"})
	s.check(err)
	equal(t, "latest", latest, uint64(1))
}

// Neither side sees what the other does to its values afterwards.
func TestValuesAreCopied(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	item := core.ContinueAsNewItem{
		Instance: "a", Orchestration: "Orch", Version: ptr("1.0.0"), ParentInstance: ptr("p"), ParentID: ptr(uint64(1)),
		ParentExecutionID: ptr(uint64(2)), CarryForwardEvents: []core.QueueEvent{{Name: "q", Data: "d"}}, InitialCustomStatus: ptr("st"),
	}
	message := core.ConfigurationError{Kind: core.Nondeterminism, Message: ptr("m")}
	failed := core.ActivityFailedItem{Instance: "a", Details: message}
	s.send(item, failed)
	spoilItem := func(i core.ContinueAsNewItem) {
		*i.Version, *i.ParentInstance, *i.ParentID, *i.ParentExecutionID, *i.InitialCustomStatus = "x", "x", 0, 0, "x"
		i.CarryForwardEvents[0] = core.QueueEvent{}
	}
	spoilItem(item)
	*message.Message = "x"
	messages := func(turn *core.OrchestrationItem) (core.ContinueAsNewItem, core.ConfigurationError) {
		return turn.Messages[0].(core.ContinueAsNewItem), turn.Messages[1].(core.ActivityFailedItem).Details.(core.ConfigurationError)
	}
	var turn *core.OrchestrationItem
	for range 2 {
		turn = s.turn("a")
		got, details := messages(turn)
		equal(t, "parent id", *got.ParentID, uint64(1))
		equal(t, "carried", got.CarryForwardEvents, []core.QueueEvent{{Name: "q", Data: "d"}})
		equal(t, "message", *details.Message, "m")
		spoilItem(got)
		*details.Message = "x"
		s.check(s.AbandonOrchestrationItem(s.ctx, core.AbandonParams{LockToken: turn.LockToken}))
	}

	sid, status, output, tag := ptr(uint64(9)), ptr("busy"), ptr("out"), ptr("gpu")
	delta := []core.Event{started(1), {ID: 2, SourceID: sid, Data: core.TimerFired{}}, event(3, core.CustomStatusUpdated{Status: status})}
	act := activity(1)
	act.Tag = tag
	work := []core.WorkItem{act}
	s.ack(s.turn("a"), func(p *core.AckOrchestrationItemParams) {
		p.HistoryDelta, p.WorkerItems = delta, work
		p.Metadata = named("Orch", "1.0.0")
		p.Metadata.Status, p.Metadata.Output = core.StatusRunning, output
	})
	*sid, *status, *output, *tag, delta[0], work[0] = 0, "x", "x", "x", core.Event{}, nil
	for range 2 {
		got := s.read("a")
		equal(t, "first event", got[0], started(1))
		equal(t, "source", *got[1].SourceID, uint64(9))
		*got[1].SourceID = 0
		got[0] = core.Event{}

		st, err := s.GetCustomStatus(s.ctx, core.GetCustomStatusParams{Instance: "a"})
		s.check(err)
		equal(t, "status", *st.Status, "busy")
		*st.Status = "x"

		info, err := s.GetExecutionInfo(s.ctx, core.GetExecutionInfoParams{Instance: "a", ExecutionID: 1})
		s.check(err)
		equal(t, "output", *info.Output, "out")
		*info.Output = "x"

		locked := s.work(1, tagged(core.TagsOnly, "gpu"))
		*locked.Item.(core.ActivityExecuteItem).Tag = "x"
		s.check(s.AbandonWorkItem(s.ctx, core.AbandonParams{LockToken: locked.LockToken}))
	}
}
