package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// code is a registry of functions by name. Versions are the names' suffixes.
type code struct {
	orchestrations map[string]replay.Handler
	activities     map[string]ActivityHandler
}

func (c code) ResolveOrchestration(name string, version *string) (replay.Handler, string, bool) {
	v := "1.0.0"
	if version != nil {
		v = *version
	}
	if h, ok := c.orchestrations[name+"@"+v]; ok {
		return h, v, true
	}
	h, ok := c.orchestrations[name]
	return h, v, ok && v == "1.0.0"
}

func (c code) HasOrchestrations() bool { return len(c.orchestrations) > 0 }

func (c code) ResolveActivity(name string) (ActivityHandler, bool) {
	h, ok := c.activities[name]
	return h, ok
}

// buffer is a log that tests read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) holds(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.b.String(), text)
}

// bench is a dispatcher on a faulty in-memory provider, in a synctest bubble.
type bench struct {
	t *testing.T
	p *faulty
	d *Dispatcher
	// others are the dispatchers of further processes.
	others []*Dispatcher
	// log is what the dispatcher wrote.
	log buffer
	cfg Config
}

// inBubble runs f with a bench in virtual time. The dispatcher is not started.
func inBubble(t *testing.T, c code, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, p: newFaulty()}
		logger := slog.New(slog.NewTextHandler(&b.log, nil))
		b.cfg = Config{
			Provider: b.p, Registry: c, Clock: core.SystemClock(), Logger: logger,
			Turns:    turnsOf(c, logger),
			MaxTurns: 4, TurnFetchers: 2, MaxActivities: 4, ActivityFetchers: 2,
			PollTimeout: 30 * time.Second, MinPollInterval: 100 * time.Millisecond,
			InstanceLock: 5 * time.Second, InstanceLockBuffer: 2 * time.Second,
			ActivityLock: 30 * time.Second, ActivityLockBuffer: 5 * time.Second,
			Session: SessionConfig{
				Owner: "me", Lock: 30 * time.Second, LockBuffer: 5 * time.Second,
				IdleTimeout: 5 * time.Minute, CleanupInterval: 5 * time.Minute, Max: 2,
			},
			CancellationGrace: 10 * time.Second,
		}
		f(b)
		if b.d != nil {
			b.others = append(b.others, b.d)
		}
		for _, d := range b.others {
			_ = d.Shutdown(t.Context())
		}
	})
}

func turnsOf(c code, logger *slog.Logger) Turns {
	return Turns{
		Registry: c, Now: time.Now, Stamp: "0.1.32",
		Supported:   core.VersionRange{Max: core.MustParseVersion("0.1.32")},
		MaxAttempts: 3,
		Backoff:     func(attempt uint32) time.Duration { return time.Duration(attempt) * time.Second },
		ParkDelay:   30 * time.Second, FailNondeterminism: true,
		ParentExecution: func(context.Context, string) uint64 { return 7 },
		Logger:          logger,
	}
}

func (b *bench) start() { b.d = Start(b.t.Context(), b.cfg) }

// startApart starts turns and activities as if they were in two processes.
func (b *bench) startApart() {
	turns, activities := b.cfg, b.cfg
	turns.ActivityFetchers, activities.TurnFetchers = 0, 0
	b.d = Start(b.t.Context(), turns)
	b.others = append(b.others, Start(b.t.Context(), activities))
}

func (b *bench) send(item core.WorkItem) {
	b.t.Helper()
	if err := b.p.EnqueueForOrchestrator(b.t.Context(), core.EnqueueForOrchestratorParams{Item: item}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) startInstance(id, orchestration string) {
	b.t.Helper()
	b.send(core.StartOrchestrationItem{Instance: id, Orchestration: orchestration, Input: "in", ExecutionID: 1})
}

// history returns the events of an instance.
func (b *bench) history(id string) []core.Event {
	b.t.Helper()
	events, err := b.p.Read(b.t.Context(), core.ReadParams{Instance: id})
	if err != nil {
		b.t.Fatal(err)
	}
	return events
}

// end waits until the instance has ended and returns its last terminal event;
// nil when it has not after two virtual hours.
func (b *bench) end(id string) core.EventData {
	b.t.Helper()
	for range 7200 {
		events := b.history(id)
		for _, ev := range slices.Backward(events) {
			if ev.IsTerminal() {
				return ev.Data
			}
		}
		time.Sleep(time.Second)
	}
	return nil
}

func (b *bench) wantOutput(id, output string) {
	b.t.Helper()
	if d, ok := b.end(id).(core.OrchestrationCompleted); !ok || d.Output != output {
		b.t.Errorf("%s ends with %#v, want output %q", id, b.end(id), output)
	}
}

func (b *bench) wantFailure(id, text string) {
	b.t.Helper()
	if d, ok := b.end(id).(core.OrchestrationFailed); !ok || d.Details.Error() != text {
		b.t.Errorf("%s ends with %#v, want failure %q", id, b.end(id), text)
	}
}

// calls is code whose one orchestration "o" calls the activity "a".
func calls(a ActivityHandler) code {
	return code{
		orchestrations: map[string]replay.Handler{"o": callA},
		activities:     map[string]ActivityHandler{"a": a},
	}
}

func callA(c *replay.Context, _ string) (string, error) {
	f := c.Activity("a", "x", nil, nil)
	c.Block(f.Ready)
	value, details, err := f.Take()
	if details != nil {
		err = errors.New(details.Error())
	}
	return value, err
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func plain(result string) ActivityHandler {
	return func(context.Context, Task) (string, error) { return result, nil }
}

var (
	errBusy = &core.ProviderError{Op: "op", Retryable: true, Err: errors.New("busy")}
	errBad  = &core.ProviderError{Op: "op", Err: errors.New("bad")}
	errLost = &core.ProviderError{Op: "op", Err: core.ErrLockLost}
)

// box holds what one goroutine notes down and another reads.
type box[T any] struct {
	mu sync.Mutex
	v  T
}

func (b *box[T]) set(v T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.v = v
}

func (b *box[T]) get() T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.v
}
