package validation

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// engine starts a runtime on the provider; it is stopped when the case has ended.
func (t *trial) engine(o EngineOptions) Engine { return t.engineOn(t.p, o) }

func (t *trial) engineOn(p core.Provider, o EngineOptions) Engine {
	e, err := t.h.StartEngine(t.ctx, p, o)
	t.check("StartEngine of the harness", err)
	t.cleanup(func(ctx context.Context) {
		if err := e.Stop(ctx); err != nil {
			t.fail("Stop of the engine: " + err.Error())
		}
	})
	return e
}

// stop stops a runtime before the case has ended.
func (t *trial) stop(e Engine) { t.check("Stop of the engine", e.Stop(t.ctx)) }

// running is the orchestrations of a runtime that has one version of each.
func running(code map[string]func(EngineContext, string) (string, error)) EngineOptions {
	var o EngineOptions
	for name, run := range code {
		o.Orchestrations = append(o.Orchestrations, EngineOrchestration{Name: name, Version: "1.0.0", Run: run})
	}
	return o
}

// until asks until the answer is yes.
func (t *trial) until(ask func() bool) {
	for !ask() {
		t.sleep(20 * time.Millisecond)
	}
}

// finished waits until the given execution has ended, and returns its history.
func (t *trial) finished(instance string, exec uint64) []core.Event {
	var history []core.Event
	t.until(func() bool {
		history = t.readExecution(instance, exec)
		for _, e := range history {
			if e.IsTerminal() {
				return true
			}
		}
		return false
	})
	return history
}

// wantOutput waits until the given execution has ended, and compares its result.
func (t *trial) wantOutput(instance string, exec uint64, want string) []core.Event {
	history := t.finished(instance, exec)
	for _, e := range history {
		if e.IsTerminal() {
			wantEqual[core.EventData](t, "the end of "+instance, e.Data, core.OrchestrationCompleted{Output: want})
		}
	}
	return history
}

// A seed is a new instance whose first turn is not acknowledged yet.
type seed struct {
	turn *core.OrchestrationItem
	ack  ack
}

// seed prepares an instance with a history in its first execution and messages
// that wait for it, all in one ack. The version that the execution is pinned to
// is the stamp of the first event.
func (t *trial) seed(instance string, history []core.Event, a ack) seed {
	first := history[0].Data.(core.OrchestrationStarted)
	t.enqueue(core.StartOrchestrationItem{
		Instance: instance, Orchestration: first.Name, Input: first.Input, Version: &first.Version, ExecutionID: 1,
	})
	a.exec, a.events = 1, history
	a.meta.OrchestrationName, a.meta.OrchestrationVersion = &first.Name, &first.Version
	a.meta = pinned(a.meta, history[0].DuroxideVersion)
	return seed{t.turn(instance), a}
}

// sow acknowledges seeds. They are prepared before, so that the messages of one
// are not fetched instead of the start of the next.
func (t *trial) sow(seeds ...seed) {
	for _, s := range seeds {
		t.ack(s.turn, s.ack)
	}
}

// stamped numbers the events of a first execution that a runtime of that version
// has written.
func stamped(instance, version string, data ...core.EventData) []core.Event {
	events := eventsOf(instance, 1, 1, data...)
	for i := range events {
		events[i].DuroxideVersion = version
	}
	return events
}

// answering is an event that answers another one.
type answering struct {
	core.EventData
	source uint64
}

// recorded is stamped for events some of which answer others.
func recorded(instance, version string, data ...core.EventData) []core.Event {
	events := stamped(instance, version, data...)
	for i := range events {
		if a, ok := events[i].Data.(answering); ok {
			events[i].Data, events[i].SourceID = a.EventData, &a.source
		}
	}
	return events
}

// untimed takes the times out of events, in order to compare them.
func untimed(events []core.Event) []core.Event {
	clone := append([]core.Event(nil), events...)
	for i := range clone {
		clone[i].TimestampMs = 0
	}
	return clone
}

// watched is a provider that tells of the turns that were abandoned and
// acknowledged through it.
type watched struct {
	core.Provider
	abandoned chan struct{}
	acked     chan core.AckOrchestrationItemParams
}

// watch returns the provider of the case, watched.
func (t *trial) watch() *watched {
	return &watched{t.p, make(chan struct{}, 1000), make(chan core.AckOrchestrationItemParams, 1000)}
}

func (w *watched) Unwrap() core.Provider { return w.Provider }

func (w *watched) AbandonOrchestrationItem(ctx context.Context, p core.AbandonParams) error {
	err := w.Provider.AbandonOrchestrationItem(ctx, p)
	if err == nil {
		offer(w.abandoned, struct{}{})
	}
	return err
}

func (w *watched) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	err := w.Provider.AckOrchestrationItem(ctx, p)
	if err == nil {
		offer(w.acked, p)
	}
	return err
}

// receive waits for what a channel tells.
func (t *trial) receive(c chan struct{}) {
	select {
	case <-c:
	case <-t.ctx.Done():
		t.fatalf("%v", context.Cause(t.ctx))
	}
}

// receiveAck waits for an acknowledged turn.
func (t *trial) receiveAck(w *watched) {
	select {
	case <-w.acked:
	case <-t.ctx.Done():
		t.fatalf("%v", context.Cause(t.ctx))
	}
}

func offer[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}
