package dispatch

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Observer is told what became of the work, by whoever did it. Executions and
// activities are told of when the acknowledgement that makes it so has succeeded.
type Observer interface {
	Fetched(ctx context.Context, q Queue)
	Processed(ctx context.Context, q Queue, f Fate, took time.Duration)
	ExecutionStarted(ctx context.Context, e Execution)
	ExecutionEnded(ctx context.Context, e Execution, end ExecutionEnd)
	ChildEnded(ctx context.Context, parent Execution, child replay.ChildOutcome)
	ActivityEnded(ctx context.Context, item core.ActivityExecuteItem, attempt uint32, end ActivityEnd)
	WarmMismatch(ctx context.Context, e Execution)
}

// Queue is where work comes from.
type Queue string

// The queues.
const (
	OrchestratorQueue Queue = "orchestrator"
	WorkerQueue       Queue = "worker"
)

// Fate is what became of something that was fetched.
type Fate string

// The fates.
const (
	Acked     Fate = "acked"
	Abandoned Fate = "abandoned"
	Lost      Fate = "lost"
)

// Execution names an execution.
type Execution struct {
	Instance, Name, Version string
	ID                      uint64
	// Child says that it has a parent; Unreadable that nobody knows, because the
	// history cannot be decoded.
	Child, Unreadable bool
}

// ExecutionEnd is how an execution ended.
type ExecutionEnd struct {
	// Event is the last event but for what follows from it.
	Event core.EventData
	// Took is the time since the first event. The numbers are 0 if the history
	// cannot be decoded.
	Took          time.Duration
	Events, Turns int
}

// ActivityEnd is how an activity ended.
type ActivityEnd struct {
	// Cancelled says that its result was no longer wanted; else it succeeded if
	// Details is nil.
	Cancelled bool
	Details   core.ErrorDetails
	// Took is how long the code ran, 0 if it did not.
	Took time.Duration
}

// fetched tells of something fetched, and returns what is to be called with what
// became of it.
func (d *Dispatcher) fetched(q Queue) (processed func(Fate)) {
	o := d.cfg.Observer
	if o == nil {
		return func(Fate) {}
	}
	began := d.cfg.Clock.Now()
	o.Fetched(d.working, q)
	return func(f Fate) { o.Processed(d.working, q, f, d.since(began)) }
}

// turnStored tells what a turn that is stored now did. Without a summary, the
// item holds the history.
func (d *Dispatcher) turnStored(ctx context.Context, item *core.OrchestrationItem, ack *core.AckOrchestrationItemParams, s *replay.Summary) {
	o := d.cfg.Observer
	if o == nil || len(ack.HistoryDelta) == 0 {
		return
	}
	if s == nil {
		history := item.History
		if ack.ExecutionID != item.ExecutionID {
			history = nil // it is that of the execution before
		}
		s = replay.Summarise(history, ack.HistoryDelta)
	}
	e := Execution{Instance: item.Instance, ID: ack.ExecutionID, Name: s.Name, Version: s.Version, Child: s.Child}
	if item.HistoryError != "" {
		e.Name, e.Version, e.Unreadable = item.OrchestrationName, item.Version, true
		s = &replay.Summary{}
	}
	if _, ok := ack.HistoryDelta[0].Data.(core.OrchestrationStarted); ok {
		o.ExecutionStarted(ctx, e)
	}
	for _, child := range s.Children {
		o.ChildEnded(ctx, e, child)
	}
	for _, ev := range ack.HistoryDelta {
		if !ev.IsTerminal() {
			continue
		}
		end := ExecutionEnd{Event: ev.Data, Events: s.Events, Turns: s.Turns}
		if s.StartedMs > 0 {
			end.Took = d.since(time.UnixMilli(int64(s.StartedMs)))
		}
		o.ExecutionEnded(ctx, e, end)
	}
}

func (d *Dispatcher) activityEnded(ctx context.Context, locked *core.LockedWorkItem, end ActivityEnd) {
	if o := d.cfg.Observer; o != nil {
		o.ActivityEnded(ctx, locked.Item.(core.ActivityExecuteItem), locked.AttemptCount, end)
	}
}

func (d *Dispatcher) warmMismatch(ctx context.Context, item *core.OrchestrationItem, name string) {
	if o := d.cfg.Observer; o != nil {
		o.WarmMismatch(ctx, Execution{Instance: item.Instance, ID: item.ExecutionID, Name: name, Version: item.Version})
	}
}

// since is the time that has passed; not negative, whatever the clocks say.
func (d *Dispatcher) since(t time.Time) time.Duration {
	return max(d.cfg.Clock.Now().Sub(t), 0)
}
