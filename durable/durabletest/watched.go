package durabletest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// watched is a store that tells when an instance has ended, and when a turn
// asks for code that nobody registered.
type watched struct {
	core.Provider
	registry *durable.Registry
	complain func(text string)

	mu   sync.Mutex
	ends map[string]chan struct{} // closed at the end of the instance
	told map[string]bool
}

func newWatched(p core.Provider, reg *durable.Registry, complain func(string)) *watched {
	return &watched{Provider: p, registry: reg, complain: complain, ends: map[string]chan struct{}{}, told: map[string]bool{}}
}

// Unwrap lets [core.Ability] find what the store can do.
func (w *watched) Unwrap() core.Provider { return w.Provider }

// ended returns a channel that is closed at the end of the instance.
func (w *watched) ended(id string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end(id)
}

func (w *watched) end(id string) chan struct{} {
	c := w.ends[id]
	if c == nil {
		c = make(chan struct{})
		w.ends[id] = c
	}
	return c
}

// AckOrchestrationItem implements [core.OrchestrationQueue].
func (w *watched) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	if err := w.Provider.AckOrchestrationItem(ctx, p); err != nil {
		return err
	}
	for _, ev := range p.HistoryDelta {
		switch d := ev.Data.(type) {
		case core.ActivityScheduled:
			if !strings.HasPrefix(d.Name, core.SyscallPrefix) && !slices.Contains(w.registry.Activities(), d.Name) {
				w.missing(ev, "activity", d.Name)
			}
		case core.SubOrchestrationScheduled:
			w.checkOrchestration(ev, d.Name)
		case core.OrchestrationChained:
			w.checkOrchestration(ev, d.Name)
		case core.OrchestrationCompleted, core.OrchestrationFailed:
			w.mu.Lock()
			if c := w.end(ev.InstanceID); !closed(c) {
				close(c)
			}
			w.mu.Unlock()
		}
	}
	return nil
}

// EnqueueForOrchestrator implements [core.OrchestrationQueue].
func (w *watched) EnqueueForOrchestrator(ctx context.Context, p core.EnqueueForOrchestratorParams) error {
	if s, ok := p.Item.(core.StartOrchestrationItem); ok {
		w.checkOrchestration(core.Event{InstanceID: s.Instance}, s.Orchestration)
	}
	return w.Provider.EnqueueForOrchestrator(ctx, p)
}

func (w *watched) checkOrchestration(ev core.Event, name string) {
	if !slices.Contains(w.registry.Orchestrations(), name) {
		w.missing(ev, "orchestration", name)
	}
}

// missing complains once about each name.
func (w *watched) missing(ev core.Event, kind, name string) {
	w.mu.Lock()
	told := w.told[kind+name]
	w.told[kind+name] = true
	w.mu.Unlock()
	if told {
		return
	}
	where := "is started as"
	if ev.ID != 0 {
		where = fmt.Sprintf("asks in event %d for", ev.ID)
	}
	w.complain(fmt.Sprintf("durabletest: instance %s %s %s %q, which has no code here: register it, or give it to Env.Mock",
		ev.InstanceID, where, kind, name))
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
