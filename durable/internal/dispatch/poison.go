package dispatch

import (
	"context"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// poison ends an execution whose messages were fetched too often (runtime 2.3).
func (t *Turns) poison(ctx context.Context, b *batch) *core.AckOrchestrationItemParams {
	item := b.item
	ack := &core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: item.ExecutionID}
	details := core.PoisonError{AttemptCount: item.AttemptCount, MaxAttempts: t.MaxAttempts}
	ack.Metadata.Status = core.StatusFailed
	if item.HistoryError != "" {
		details.MessageType = core.PoisonUndecodable{Instance: item.Instance, ExecutionID: item.ExecutionID, Error: item.HistoryError}
		details.Message = item.HistoryError
		ack.HistoryDelta = []core.Event{t.event(item.Instance, item.ExecutionID, core.PoisonEventID, core.OrchestrationFailed{Details: details})}
		ack.Metadata.Output = new(details.Error())
		ack.Metadata.OrchestrationName, ack.Metadata.OrchestrationVersion = &item.OrchestrationName, &item.Version
		return ack
	}
	if b.terminal() {
		ack.Metadata.Status = "" // nothing is left to fail: only consume
		return ack
	}

	nextID := core.FirstEventID
	for _, ev := range b.history() {
		nextID = max(nextID, ev.ID+1)
	}
	owner := core.OrchestrationStarted{Name: item.OrchestrationName, Version: item.Version}
	if b.started != nil {
		owner = *b.started
	}
	if len(b.history()) == 0 || b.awaitsSuccessor() {
		switch start, _, ok := b.newStart(); {
		case ok:
			owner = start
			owner.Version = item.Version
		case b.awaitsSuccessor():
			owner.Input = continuedInput(item.History)
			owner.Version = item.Version
			owner.CarryForwardEvents = nil
		}
		ack.ExecutionID = b.execution()
		if b.awaitsSuccessor() {
			ack.ExecutionID = item.ExecutionID + 1
		}
		nextID = core.FirstEventID
		ack.HistoryDelta = append(ack.HistoryDelta, t.event(item.Instance, ack.ExecutionID, nextID, owner))
		ack.Metadata.OrchestrationName, ack.Metadata.OrchestrationVersion = &owner.Name, &owner.Version
		ack.Metadata.ParentInstanceID = owner.ParentInstance
		nextID++
	}
	details.MessageType = core.PoisonOrchestration{Instance: item.Instance, ExecutionID: ack.ExecutionID}
	details.Message = encodeItems(item.Messages)
	ack.HistoryDelta = append(ack.HistoryDelta, t.event(item.Instance, ack.ExecutionID, nextID, core.OrchestrationFailed{Details: details}))
	ack.Metadata.Output = new(details.Error())
	ack.OrchestratorItems = t.tellParent(ctx, owner, details)
	return ack
}

// tellParent returns the notice that a failure sends to the parent, if there is
// one, addressed to the execution that scheduled the child.
func (t *Turns) tellParent(ctx context.Context, child core.OrchestrationStarted, details core.ErrorDetails) []core.WorkItem {
	if child.ParentInstance == nil || child.ParentID == nil {
		return nil
	}
	execution := child.ParentExecutionID
	if execution == nil {
		execution = new(t.ParentExecution(ctx, *child.ParentInstance))
	}
	return []core.WorkItem{core.SubOrchFailedItem{
		ParentInstance: *child.ParentInstance, ParentExecutionID: *execution, ParentID: *child.ParentID, Details: details,
	}}
}

func (t *Turns) event(instance string, execution, id uint64, data core.EventData) core.Event {
	return core.Event{
		ID: id, InstanceID: instance, ExecutionID: execution,
		TimestampMs: core.Milliseconds(t.Now()), DuroxideVersion: t.Stamp, Data: data,
	}
}

func continuedInput(history []core.Event) string {
	for _, ev := range history {
		if c, ok := ev.Data.(core.OrchestrationContinuedAsNew); ok {
			return c.Input
		}
	}
	return ""
}

// encodeItems returns the batch as a JSON array, for the operator to see.
func encodeItems(items []core.WorkItem) string {
	var s strings.Builder
	s.WriteByte('[')
	for i, m := range items {
		if i > 0 {
			s.WriteByte(',')
		}
		b, err := core.EncodeWorkItem(m)
		if err != nil {
			b = []byte("null")
		}
		s.Write(b)
	}
	s.WriteByte(']')
	return s.String()
}
