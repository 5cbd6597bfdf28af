package dispatch

import (
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// poison ends an execution whose messages were fetched too often (runtime 2.3).
func (t *Turns) poison(b *batch, parentExecution func(string) uint64) *core.AckOrchestrationItemParams {
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
	if owner.ParentInstance != nil && owner.ParentID != nil {
		execution := uint64(0)
		if owner.ParentExecutionID != nil {
			execution = *owner.ParentExecutionID
		} else {
			execution = parentExecution(*owner.ParentInstance)
		}
		ack.OrchestratorItems = append(ack.OrchestratorItems, core.SubOrchFailedItem{
			ParentInstance: *owner.ParentInstance, ParentExecutionID: execution, ParentID: *owner.ParentID, Details: details,
		})
	}
	return ack
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
