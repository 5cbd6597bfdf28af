package durabletest

import (
	"log/slog"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// player runs the code of one execution, turn by turn. Where it can, it keeps
// the code suspended between turns, so that a long history takes as long as it
// is, and not its square.
type player struct {
	e    *recording.Execution
	code replay.Handler
	// cold runs the code from its beginning in every turn.
	cold bool
	// played is how much of the history the suspended code has seen; it is nil
	// when there is none.
	suspended *replay.Suspended
	played    int
}

// play runs a turn, given the history before it with what arrived for it.
func (p *player) play(before []core.Event) replay.Output {
	if out, ok := p.resume(before); ok {
		return out
	}
	p.close()
	var out replay.Output
	in := p.input(before[len(before)-1:])
	in.History, in.KV, in.Handler = before, p.e.KV, p.code
	if p.cold {
		return replay.Run(in)
	}
	out, p.suspended = replay.Begin(in)
	return out
}

// resume goes on with suspended code. It reports false when there is none, or
// when what arrived cannot be told by messages.
func (p *player) resume(before []core.Event) (replay.Output, bool) {
	arrived := before[min(p.played, len(before)):]
	if p.suspended == nil || len(arrived) == 0 || arrived[0].ID != p.suspended.LastEventID()+1 {
		return replay.Output{}, false
	}
	in := p.input(arrived)
	for _, ev := range arrived {
		m := message(ev)
		if m == nil {
			return replay.Output{}, false
		}
		in.Messages = append(in.Messages, m)
	}
	var out replay.Output
	out, p.suspended = p.suspended.Resume(in)
	for i, ev := range arrived { // a message may have been refused
		if i >= len(out.Delta) || out.Delta[i].Data.EventType() != ev.Data.EventType() {
			return replay.Output{}, false
		}
	}
	out.Delta = out.Delta[len(arrived):]
	return out, true
}

// input is what resumed code and code that begins are given alike. The events
// that arrive get their recorded times; later ones the last of these.
func (p *player) input(arrived []core.Event) replay.Input {
	n := 0
	now := func() time.Time {
		ms := arrived[min(n, len(arrived)-1)].TimestampMs
		n++
		return time.UnixMilli(int64(ms))
	}
	return replay.Input{
		Instance: p.e.Instance, Execution: p.e.ID, Now: now, Stamp: p.e.Events[0].DuroxideVersion,
		ParentExecution: func(string) uint64 { return core.FirstExecutionID },
		Logger:          slog.New(slog.DiscardHandler), Sites: true,
	}
}

// recorded says that the code did what is recorded of the turn.
func (p *player) recorded(t turn) {
	p.played = len(t.before) + len(t.did)
	for _, ev := range t.did {
		// Suspended code has the value and the time of its own making, while a
		// replay takes what is recorded.
		if _, ok := ev.Data.(core.KeyValueSet); ok {
			p.close()
			return
		}
	}
}

// close lets the suspended code go.
func (p *player) close() {
	if p.suspended != nil {
		p.suspended.Close()
		p.suspended = nil
	}
}

// message is what an event arrived as; nil if that is not known.
func message(ev core.Event) core.WorkItem {
	source := uint64(0)
	if ev.SourceID != nil {
		source = *ev.SourceID
	}
	switch d := ev.Data.(type) {
	case core.ActivityCompleted:
		return core.ActivityCompletedItem{Instance: ev.InstanceID, ExecutionID: ev.ExecutionID, ID: source, Result: d.Result}
	case core.ActivityFailed:
		return core.ActivityFailedItem{Instance: ev.InstanceID, ExecutionID: ev.ExecutionID, ID: source, Details: d.Details}
	case core.TimerFired:
		return core.TimerFiredItem{Instance: ev.InstanceID, ExecutionID: ev.ExecutionID, ID: source, FireAtMs: d.FireAtMs}
	case core.SubOrchestrationCompleted:
		return core.SubOrchCompletedItem{ParentInstance: ev.InstanceID, ParentExecutionID: ev.ExecutionID, ParentID: source, Result: d.Result}
	case core.SubOrchestrationFailed:
		return core.SubOrchFailedItem{ParentInstance: ev.InstanceID, ParentExecutionID: ev.ExecutionID, ParentID: source, Details: d.Details}
	case core.ExternalEvent:
		return core.ExternalRaisedItem{Instance: ev.InstanceID, Name: d.Name, Data: d.Data}
	case core.QueueEventDelivered:
		return core.QueueMessageItem{Instance: ev.InstanceID, Name: d.Name, Data: d.Data}
	case core.OrchestrationCancelRequested:
		return core.CancelInstanceItem{Instance: ev.InstanceID, Reason: d.Reason}
	}
	return nil
}
