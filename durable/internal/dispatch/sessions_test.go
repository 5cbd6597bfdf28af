package dispatch

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

func TestSessionTracker(t *testing.T) {
	t.Parallel()
	s := newSessionTracker(SessionConfig{Owner: "me", Lock: time.Minute, Max: 2})
	a, b, c := "a", "b", "c"
	step := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	claims := func() bool {
		cfg, full := s.fetchConfig()
		if (cfg == nil) == (full == nil) {
			t.Errorf("fetches with %+v, full %v", cfg, full)
		}
		return cfg != nil
	}
	if cfg, _ := s.fetchConfig(); *cfg != (core.SessionFetchConfig{OwnerID: "me", LockTimeout: time.Minute}) {
		t.Errorf("fetches with %+v", cfg)
	}
	step("no session", s.enter(nil), true)
	step("first", s.enter(&a), true)
	step("one more of the first", s.enter(&a), true)
	step("claims at one", claims(), true)
	step("second", s.enter(&b), true)
	step("claims at the limit", claims(), false)
	step("third", s.enter(&c), false)
	step("of the first, at the limit", s.enter(&a), true)
	s.leave(&a)
	s.leave(&a)
	step("still one of the first", s.enter(&c), false)
	step("claims at the limit, still", claims(), false)
	_, full := s.fetchConfig()
	s.leave(&a)
	select {
	case <-full:
	default:
		t.Error("who waits for room is not told")
	}
	step("now there is room", claims(), true)
	step("third, again", s.enter(&c), true)
	s.leave(nil)
	s.leave(&b)
	s.leave(&c)
	if len(s.inFlight) != 0 {
		t.Errorf("left: %v", s.inFlight)
	}
	cfg, full := newSessionTracker(SessionConfig{Max: 2}).fetchConfig()
	step("without an owner", cfg != nil || full != nil, false)
}

func TestSessionTrackerConcurrently(t *testing.T) {
	t.Parallel()
	s := newSessionTracker(SessionConfig{Owner: "me", Max: 3})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := string(rune('a' + i))
			for range 200 {
				if s.enter(&id) {
					s.leave(&id)
				}
				s.fetchConfig()
			}
		})
	}
	wg.Wait()
	if len(s.inFlight) != 0 {
		t.Errorf("left: %v", s.inFlight)
	}
}

// TestSessionLimit: four conversations, two at a time, each on its session.
func TestSessionLimit(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	running, most, ran := 0, 0, 0
	c := calls(func(context.Context, Task) (string, error) {
		mu.Lock()
		running++
		ran++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(10 * time.Second)
		mu.Lock()
		running--
		mu.Unlock()
		return "", nil
	})
	c.orchestrations["o"] = func(c *replay.Context, _ string) (string, error) {
		f := c.Activity("a", "x", new(c.Instance()), nil)
		c.Block(f.Ready)
		_, _, _ = f.Take()
		return "ok", nil
	}
	inBubble(t, c, func(b *bench) {
		b.start()
		ids := []string{"s1", "s2", "s3", "s4"}
		began := time.Now()
		for _, id := range ids {
			b.startInstance(id, "o")
		}
		for _, id := range ids {
			b.wantOutput(id, "ok")
		}
		if took := time.Since(began); took > 22*time.Second { // a fetch waits for 30 s
			t.Errorf("two times two of 10 s took %v", took)
		}
		mu.Lock()
		defer mu.Unlock()
		if most != 2 || ran != 4 {
			t.Errorf("%d sessions at the same time, %d activities", most, ran)
		}
		// A claim beyond the limit is given back, the attempt not counted.
		if slices.ContainsFunc(b.p.abandons(), func(p core.AbandonParams) bool { return !p.IgnoreAttempt }) {
			t.Errorf("abandoned %v", b.p.abandons())
		}
	})
}

func TestSessionsAreRenewedAndSwept(t *testing.T) {
	t.Parallel()
	inBubble(t, calls(plain("")), func(b *bench) {
		b.p.before = func(_ context.Context, method string, n int, _ any) error {
			if n == 1 && (method == "renew sessions" || method == "clean up sessions") {
				return errBusy // neither ends the loop
			}
			return nil
		}
		b.start()
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if n, m := b.p.count("renew sessions"), b.p.count("clean up sessions"); n != 24 || m != 2 {
			t.Errorf("in ten minutes: %d renewals, %d sweeps", n, m)
		}
		if b.log.holds("session renewal failed") != 1 || b.log.holds("session clean-up failed") != 1 {
			t.Error("not logged")
		}
	})
	t.Run("not without an owner", func(t *testing.T) {
		t.Parallel()
		inBubble(t, calls(plain("")), func(b *bench) {
			b.cfg.Session.Owner = ""
			b.start()
			time.Sleep(10 * time.Minute)
			if n := b.p.count("renew sessions"); n != 0 {
				t.Errorf("%d renewals", n)
			}
		})
	})
}
