package dispatch

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// sequential calls the activity "a" as often as its input is long.
func sequential(c *replay.Context, in string) (string, error) {
	out := ""
	for i := range in {
		f := c.Activity("a", in[i:i+1], nil, nil)
		c.Block(f.Ready)
		value, _, err := f.Take()
		if err != nil {
			return "", err
		}
		out += value
	}
	return out, nil
}

func sequences() code {
	return code{
		orchestrations: map[string]replay.Handler{"o": sequential},
		activities: map[string]ActivityHandler{"a": func(_ context.Context, task Task) (string, error) {
			return "<" + task.Input + ">", nil
		}},
	}
}

func (b *bench) startWith(id, input string) {
	b.t.Helper()
	b.send(core.StartOrchestrationItem{Instance: id, Orchestration: "o", Input: input, ExecutionID: 1})
}

func (b *bench) wantWarm(want WarmStats) {
	b.t.Helper()
	got := b.d.Warm()
	if want.Instances > 0 && got.Bytes == 0 {
		b.t.Error("suspended executions without bytes")
	}
	got.Bytes = 0
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestWarmTurns(t *testing.T) {
	inBubble(t, sequences(), func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20}
		b.start()
		b.startWith("i", "abc")
		b.wantOutput("i", "<a><b><c>")
		b.wantWarm(WarmStats{Hits: 3})
	})
}

func TestWarmOff(t *testing.T) {
	inBubble(t, sequences(), func(b *bench) {
		b.start()
		b.startWith("i", "abc")
		b.wantOutput("i", "<a><b><c>")
		b.wantWarm(WarmStats{})
	})
}

// TestWarmEvictions: with room for one of three, histories that are too long to
// come with the item are read under the lock.
func TestWarmEvictions(t *testing.T) {
	inBubble(t, sequences(), func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 1, Bytes: 1 << 20}
		b.start()
		input, want := "", ""
		for i := range 60 {
			input += string(rune('a' + i%26))
			want += fmt.Sprintf("<%c>", 'a'+i%26)
		}
		for _, id := range []string{"i", "j", "k"} {
			b.startWith(id, input)
		}
		for _, id := range []string{"i", "j", "k"} {
			b.wantOutput(id, want)
		}
		if got := b.d.Warm(); got.Evictions == 0 || got.Misses == 0 || got.Instances != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestWarmBytes: what is larger than all the room is not kept.
func TestWarmBytes(t *testing.T) {
	inBubble(t, sequences(), func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1000}
		b.start()
		b.startWith("i", "abc")
		b.wantOutput("i", "<a><b><c>")
		b.wantWarm(WarmStats{Misses: 3})
	})
}

// TestWarmAfterDeletion: an instance that is deleted and started again repeats
// execution and event ids with another content.
func TestWarmAfterDeletion(t *testing.T) {
	release := make(chan struct{})
	c := sequences()
	c.activities["a"] = func(ctx context.Context, task Task) (string, error) {
		if task.Input == "x" { // of the first life: its result comes too late
			<-release
		}
		return "<" + task.Input + ">", nil
	}
	inBubble(t, c, func(b *bench) {
		release = make(chan struct{}) // of this bubble
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20}
		b.start()
		b.startWith("i", "x")
		synctest.Wait()
		b.wantWarm(WarmStats{Instances: 1})
		deleter, _ := core.Ability[core.AdminDeleter](b.p)
		if _, err := deleter.DeleteInstance(b.t.Context(), core.DeleteInstanceParams{Instance: "i", Force: true}); err != nil {
			t.Fatal(err)
		}
		b.startWith("i", "yz")
		b.wantOutput("i", "<y><z>")
		close(release)
		b.wantWarm(WarmStats{Hits: 2})
	})
}

// TestWarmIsNotTrusted: each of the ways in which the stored execution can be
// another one than the suspended.
func TestWarmIsNotTrusted(t *testing.T) {
	for name, change := range map[string]func(*core.OrchestrationItem){
		"another turn":       func(item *core.OrchestrationItem) { item.TurnToken = "other" },
		"no turn":            func(item *core.OrchestrationItem) { item.TurnToken = "" },
		"another execution":  func(item *core.OrchestrationItem) { item.ExecutionID = 2 },
		"more events":        func(item *core.OrchestrationItem) { item.LastEventID++ },
		"fewer events":       func(item *core.OrchestrationItem) { item.LastEventID-- },
		"many attempts":      func(item *core.OrchestrationItem) { item.AttemptCount = maxWarmAttempts + 1 },
		"unreadable":         func(item *core.OrchestrationItem) { item.HistoryError = "bad" },
		"a start again":      func(item *core.OrchestrationItem) { item.Messages = append(item.Messages, startItem) },
		"a next execution":   func(item *core.OrchestrationItem) { item.Messages = append(item.Messages, goOn) },
		"nothing is changed": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unwound := false
			turns := turnsOf(code{orchestrations: map[string]replay.Handler{"o": func(c *replay.Context, in string) (string, error) {
				defer func() { unwound = true }()
				return callA(c, in)
			}}}, nil)
			turns.Logger, turns.Suspend = discard(), true
			first := core.OrchestrationItem{Instance: "i", ExecutionID: 1, LockToken: "one", AttemptCount: 1, Messages: []core.WorkItem{startItem}}
			decision := turns.Decide(t.Context(), &first)
			c := newWarmCache(WarmConfig{Instances: 1, Bytes: 1 << 20})
			c.put(&first, 1, decision.Suspended)

			second := core.OrchestrationItem{
				Instance: "i", ExecutionID: 1, LockToken: "two", AttemptCount: 1, TurnToken: "one", LastEventID: 2,
				Messages: []core.WorkItem{late},
			}
			if change != nil {
				change(&second)
			}
			got := c.take(&second)
			if trusted := change == nil; (got != nil) != trusted || unwound == trusted {
				t.Errorf("taken %v, unwound %v", got != nil, unwound)
			}
			if got != nil {
				got.Close()
			}
		})
	}
}

// TestWarmTurnNotStored: after a turn that could not be stored, the history
// decides again.
func TestWarmTurnNotStored(t *testing.T) {
	inBubble(t, sequences(), func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20}
		b.p.before = func(_ context.Context, method string, n int, _ any) error {
			if method == "ack turn" && n == 2 {
				return errLost
			}
			return nil
		}
		b.start()
		b.startWith("i", "abc")
		b.wantOutput("i", "<a><b><c>")
		b.wantWarm(WarmStats{Hits: 3, Misses: 1})
	})
}

// TestWarmCheck: code that does something else when it is replayed is found out
// at its end, the replay counts, and it is not kept any more.
func TestWarmCheck(t *testing.T) {
	runs := 0
	c := sequences()
	c.orchestrations["o"] = func(c *replay.Context, in string) (string, error) {
		runs++
		run := runs
		out, err := sequential(c, in)
		return fmt.Sprint(out, run), err
	}
	inBubble(t, c, func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20, CheckEvery: 1}
		b.cfg.MaxTurns, b.cfg.TurnFetchers = 1, 1
		b.start()
		b.startWith("i", "ab")
		b.wantOutput("i", "<a><b>2")
		b.wantWarm(WarmStats{Hits: 2, Checks: 1, Mismatches: 1})
		if b.log.holds("came out differently") != 1 {
			t.Error("not logged")
		}
		b.startWith("j", "ab")
		b.end("j")
		b.wantWarm(WarmStats{Hits: 2, Misses: 2, Checks: 1, Mismatches: 1})
	})
}

func TestWarmCheckPasses(t *testing.T) {
	inBubble(t, sequences(), func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20, CheckEvery: 1}
		b.start()
		b.startWith("i", "abcdefghijklmnopqrstuvwxyz") // too long to come with the item
		b.end("i")
		b.wantWarm(WarmStats{Hits: 26, Checks: 1})
	})
}

// TestWarmShutdown: deferred functions of what waits run at the shutdown.
func TestWarmShutdown(t *testing.T) {
	unwound := 0
	c := code{orchestrations: map[string]replay.Handler{"o": func(c *replay.Context, _ string) (string, error) {
		defer func() { unwound++ }()
		f := c.Timer(time.Hour)
		c.Block(f.Ready)
		return "", nil
	}}}
	inBubble(t, c, func(b *bench) {
		b.cfg.Warm = WarmConfig{Instances: 10, Bytes: 1 << 20}
		b.start()
		for i := range 3 {
			b.startWith(fmt.Sprint("i", i), "")
		}
		synctest.Wait()
		b.wantWarm(WarmStats{Instances: 3})
		if err := b.d.Shutdown(b.t.Context()); err != nil {
			t.Error(err)
		}
		if unwound != 3 {
			t.Errorf("%d of 3 unwound", unwound)
		}
	})
}
