package durable_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/durable"
)

// TestInfo: what an activity is told stays the same over its deliveries, but
// for the attempt.
func TestInfo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var infos []durable.ActivityInfo
	const told = durable.Activity[string, string]("told")
	record := func(ctx context.Context, _ string) (string, error) {
		mu.Lock()
		infos = append(infos, durable.Info(ctx))
		first := len(infos) == 1
		mu.Unlock()
		if first {
			<-ctx.Done() // the process is shut down
			return "", ctx.Err()
		}
		return "", durable.Heartbeat(ctx)
	}
	inBubble(t, func(e *env) {
		flow := main.With(func(ctx *durable.Context, _ string) (string, error) {
			if _, err := told.Call(ctx, "", durable.OnSession("s")); err != nil {
				return "", err
			}
			return told.Call(ctx, "")
		})
		reg := durable.NewRegistry()
		if err := reg.Add(flow, told.With(record)); err != nil {
			t.Fatal(err)
		}
		rt, err := durable.NewRuntime(e.p, reg, &durable.Options{NodeID: "node"})
		if err != nil {
			t.Fatal(err)
		}
		if err := rt.Start(e.ctx); err != nil {
			t.Fatal(err)
		}
		run := begin(e, main, "i", "")
		time.Sleep(time.Second)
		now, cancel := context.WithCancel(e.ctx)
		cancel()
		if err := rt.Shutdown(now); err == nil {
			t.Error("nothing was interrupted")
		}
		e.startRegistry(&durable.Options{NodeID: "node"}, reg)
		wantRun(e, run, "")
		mu.Lock()
		defer mu.Unlock()
		one := durable.ActivityInfo{InstanceID: "i", ExecutionID: 1, ActivityID: 2, Name: "told", Attempt: 1, SessionID: new("s"), IdempotencyKey: "i/1/2"}
		two := durable.ActivityInfo{InstanceID: "i", ExecutionID: 1, ActivityID: 4, Name: "told", Attempt: 1, IdempotencyKey: "i/1/4"}
		// The interruption was not an attempt.
		if diff := cmp.Diff([]durable.ActivityInfo{one, one, two}, infos); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestInfoCountsAttempts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var attempts []uint32
	keys := map[string]bool{}
	const crashing = durable.Activity[string, string]("crashing")
	inBubble(t, func(e *env) {
		e.start(&durable.Options{Fetchers: 1}, code(func(ctx *durable.Context, _ string) (string, error) { return crashing.Call(ctx, "") })...)
		run := begin(e, main, "i", "")
		time.Sleep(10 * time.Second) // not registered: back-offs of 1, 2, 4 s
		e.start(nil, crashing.With(func(ctx context.Context, _ string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			info := durable.Info(ctx)
			attempts, keys[info.IdempotencyKey] = append(attempts, info.Attempt), true
			return "ok", nil
		}))
		wantRun(e, run, "ok")
		mu.Lock()
		defer mu.Unlock()
		if len(attempts) != 1 || attempts[0] < 4 || !keys["i/1/2"] {
			t.Errorf("attempts %v, keys %v", attempts, keys)
		}
	})
}

func TestInfoElsewhere(t *testing.T) {
	for name, f := range map[string]func(context.Context){
		"Info":      func(ctx context.Context) { durable.Info(ctx) },
		"Heartbeat": func(ctx context.Context) { _ = durable.Heartbeat(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if r, ok := recover().(string); !ok || !strings.Contains(r, "needs the context of an activity") {
					t.Errorf("recovered %v", r)
				}
			}()
			f(t.Context())
		})
	}
}

func TestHeartbeatTellsOfACancellation(t *testing.T) {
	t.Parallel()
	const busy = durable.Activity[string, string]("busy")
	inBubble(t, func(e *env) {
		ended := make(chan error, 1)
		e.start(nil, append(code(func(ctx *durable.Context, _ string) (string, error) { return busy.Call(ctx, "") }),
			busy.With(func(ctx context.Context, _ string) (string, error) {
				for {
					time.Sleep(time.Second)
					if err := durable.Heartbeat(ctx); err != nil {
						ended <- err
						return "", err
					}
				}
			}))...)
		begin(e, main, "i", "")
		time.Sleep(100 * time.Second)
		e.cancel("i", "enough")
		began := time.Now()
		if err := <-ended; !errors.Is(err, durable.ErrNotWanted) || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// locked is a buffer for concurrent writers.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestLogger: however often the code runs, each line is written once.
func TestLogger(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		var out locked
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		e.start(&durable.Options{Logger: logger}, code(func(ctx *durable.Context, in string) (string, error) {
			log := ctx.Logger()
			group := log.WithGroup("g").With("k", "v")
			log.Info("line 1")
			for i := range 3 {
				if _, err := upper.Call(ctx, in); err != nil {
					return "", err
				}
				group.Warn("line 2", "round", i)
			}
			durable.Race(ctx, ctx.Timer(time.Minute), durable.WaitEvent[string](ctx, "never"))
			log.Debug("line 3")
			b := durable.Go(ctx, func(ctx *durable.Context) (string, error) {
				ctx.Logger().Info("line 4")
				ctx.Sleep(time.Minute)
				ctx.Logger().Info("line 5")
				return "", nil
			})
			if _, err := b.Await(ctx); err != nil {
				return "", err
			}
			log.Info("line 6", "replaying", ctx.IsReplaying())
			return "", nil
		})...)
		want(e, main, "i", "", "")
		text := out.String()
		for line, n := range map[string]int{
			`msg="line 1"`: 1, `msg="line 2"`: 3, `msg="line 3"`: 1, `msg="line 4"`: 1, `msg="line 5"`: 1, `msg="line 6"`: 1,
			"g.k=v g.round=1": 1, "replaying=false": 1,
			"instance_id=i execution_id=1 orchestration_name=main orchestration_version=1.0.0": 9, // the dispatcher has one of its own

		} {
			if got := strings.Count(text, line); got != n {
				t.Errorf("%s is there %d times, want %d:\n%s", line, got, n, text)
			}
		}
	})
}
