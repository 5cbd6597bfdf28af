package dispatch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// later has version 2.0.0 of what it holds only from some time on.
type later struct {
	code
	from time.Time
}

func (l later) ResolveOrchestration(name string, version *string) (replay.Handler, string, bool) {
	if version != nil && *version == "2.0.0" && time.Now().Before(l.from) {
		return nil, "", false
	}
	return l.code.ResolveOrchestration(name, version)
}

// upgrading is an orchestration "o" that continues as new at version 2.0.0, which
// reads two messages.
func upgrading() code {
	return code{orchestrations: map[string]replay.Handler{
		"o": func(*replay.Context, string) (string, error) {
			return "", &replay.ContinueAsNew{Input: "next", Version: new("2.0.0")}
		},
		"o@2.0.0": func(c *replay.Context, in string) (string, error) {
			read := []string{}
			for range 2 {
				f := c.Dequeue("q")
				c.Block(f.Ready)
				text, _, _ := f.Take()
				read = append(read, text)
			}
			slices.Sort(read) // what waits may be reordered
			return in + " " + strings.Join(read, " "), nil
		},
	}}
}

func (b *bench) message(text string) {
	b.t.Helper()
	b.send(core.QueueMessageItem{Instance: "i", Name: "q", Data: text})
}

// waiting returns how many messages could be fetched.
func (b *bench) waiting() uint64 {
	b.t.Helper()
	admin, ok := core.Ability[core.AdminReader](b.p)
	if !ok {
		b.t.Fatal("the provider cannot count")
	}
	depths, err := admin.GetQueueDepths(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return depths.OrchestratorQueue
}

// TestSuccessorThatComesLate: what is sent to an instance before the next
// execution can begin waits for it.
func TestSuccessorThatComesLate(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(context.Context, string, int, any) error
		lost   bool // only the successor's start could be given back, the first time
	}{
		"given back, the attempt counted": {nil, false},
		"not even given back: left to the lock": {
			func(_ context.Context, method string, n int, _ any) error {
				if method == "abandon turn" && n > 1 {
					return errBusy
				}
				return nil
			}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, code{}, func(b *bench) {
				registry := later{upgrading(), time.Now().Add(time.Minute)}
				b.cfg.Registry, b.cfg.Turns.Registry, b.cfg.Turns.MaxAttempts = registry, registry, 100
				b.p.before = tt.before
				b.start()
				b.startInstance("i", "o")
				time.Sleep(500 * time.Millisecond) // the successor's start waits for its second attempt
				b.message("a")
				time.Sleep(20 * time.Second)
				b.message("b")
				time.Sleep(10 * time.Minute)
				b.wantOutput("i", "next a b")
				gone := b.p.abandons()
				if len(gone) < 4 || slices.ContainsFunc(gone, func(p core.AbandonParams) bool { return p.IgnoreAttempt || p.Delay < time.Second }) {
					t.Errorf("abandoned %+v", gone)
				}
				want := 0
				if tt.lost {
					want = len(gone) - 1
				}
				if n := b.log.holds("abandon failed: the lock is left to expire"); n != want {
					t.Errorf("%d of %d could not be given back, want %d", n, len(gone), want)
				}
			})
		})
	}
}

// TestSuccessorThatNeverComes: the next execution fails, and what is sent to it
// after that is consumed.
func TestSuccessorThatNeverComes(t *testing.T) {
	t.Parallel()
	c := upgrading()
	delete(c.orchestrations, "o@2.0.0")
	inBubble(t, c, func(b *bench) {
		b.start()
		b.startInstance("i", "o")
		time.Sleep(500 * time.Millisecond)
		b.message("waits, and is poisoned with it")
		time.Sleep(time.Hour)
		b.wantFailure("i", "poison: orchestration i exceeded 4 attempts (max 3)")
		rows := b.history("i")
		if len(rows) != 2 || rows[0].ExecutionID != 2 {
			t.Errorf("the second execution: %+v", rows)
		}
		b.message("late")
		b.send(core.ExternalRaisedItem{Instance: "i", Name: "e"})
		b.send(core.CancelInstanceItem{Instance: "i"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := b.waiting(); n != 0 || len(b.history("i")) != 2 {
			t.Errorf("%d messages wait, history %+v", n, b.history("i"))
		}
	})
}

// TestCollisionInATurnThatCannotBeStored: the parent whose child's id is taken is
// told so, although the turn of who has it ends as a failure.
func TestCollisionInATurnThatCannotBeStored(t *testing.T) {
	t.Parallel()
	c := code{orchestrations: map[string]replay.Handler{
		"waits": func(c *replay.Context, _ string) (string, error) {
			f := c.Wait("never")
			c.Block(f.Ready)
			return "", nil
		},
		"parent": func(c *replay.Context, _ string) (string, error) {
			f := c.Child("waits", "kid", "", nil)
			c.Block(f.Ready)
			_, details, _ := f.Take()
			return "", errors.New(details.Error())
		},
	}}
	inBubble(t, c, func(b *bench) {
		var once atomic.Bool
		b.p.before = func(_ context.Context, _ string, _ int, params any) error {
			if p, ok := params.(core.AckOrchestrationItemParams); ok && len(p.OrchestratorItems) == 1 {
				if _, notice := p.OrchestratorItems[0].(core.SubOrchFailedItem); notice && !once.Swap(true) {
					return errBad
				}
			}
			return nil
		}
		b.start()
		b.startInstance("kid", "waits")
		time.Sleep(time.Second)
		b.startInstance("top", "parent")
		b.wantFailure("top", "sub-orchestration instance id 'kid' already exists")
		b.wantFailure("kid", "infrastructure:op: bad")
		if !once.Load() {
			t.Error("the turn was stored")
		}
	})
}
