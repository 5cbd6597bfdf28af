package durable_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

const work = durable.Activity[string, string]("work")

// worker is code of an activity: what it does is named by its input.
func worker(cause *atomic.Value) func(ctx context.Context, in string) (string, error) {
	return func(ctx context.Context, in string) (string, error) {
		beat := func(every time.Duration, times int) error {
			for range times {
				select {
				case <-time.After(every):
				case <-ctx.Done():
					cause.Store(context.Cause(ctx))
					return errors.New("interrupted")
				}
				if err := durable.Heartbeat(ctx); err != nil {
					return err
				}
			}
			return nil
		}
		switch in {
		case "in time":
			return "done", nil
		case "beats":
			return "done", beat(5*time.Second, 10)
		case "stops beating":
			if err := beat(5*time.Second, 2); err != nil {
				return "", err
			}
			return "", beat(time.Minute, 1)
		case "too long":
			return "", beat(time.Hour, 1)
		case "ignores its context":
			time.Sleep(10 * time.Hour)
			return "too late", nil
		case "ends in the grace":
			<-ctx.Done()
			time.Sleep(time.Second)
			return "done after all", nil
		}
		panic(in)
	}
}

func TestCodeTimeouts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options []durable.CodeOption
		want    string // or
		failure string
		took    time.Duration
	}{
		"in time":             {[]durable.CodeOption{durable.StartToClose(time.Minute), durable.HeartbeatTimeout(time.Second)}, "done", "", 0},
		"beats":               {[]durable.CodeOption{durable.HeartbeatTimeout(10 * time.Second)}, "done", "", 50 * time.Second},
		"stops beating":       {[]durable.CodeOption{durable.HeartbeatTimeout(10 * time.Second)}, "", "timeout: no heartbeat within 10s", 20 * time.Second},
		"too long":            {[]durable.CodeOption{durable.StartToClose(time.Minute)}, "", "timeout: activity timed out", time.Minute},
		"ignores its context": {[]durable.CodeOption{durable.StartToClose(time.Minute)}, "", "timeout: activity timed out", time.Minute + 10*time.Second},
		"ends in the grace":   {[]durable.CodeOption{durable.StartToClose(time.Minute)}, "done after all", "", time.Minute + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				var cause atomic.Value
				var failure error
				e.start(nil, work.With(worker(&cause), tt.options...), main.With(func(ctx *durable.Context, in string) (string, error) {
					began := ctx.Now()
					out, err := work.Call(ctx, in)
					failure = err
					return fmt.Sprint(out, err, " ", ctx.Now().Sub(began)), nil
				}))
				want := fmt.Sprint(tt.want, error(nil), " ", tt.took)
				if tt.failure != "" {
					want = fmt.Sprint(tt.failure, " ", tt.took)
				}
				wantRun(e, begin(e, main, "i", name), want)
				if timedOut := errors.Is(failure, durable.ErrTimeout); timedOut != (tt.failure != "") {
					t.Errorf("%v is a time-out: %t", failure, timedOut)
				}
				if c, ok := cause.Load().(error); ok && !errors.Is(c, durable.ErrTimeout) {
					t.Errorf("cause %v", c)
				}
				time.Sleep(10 * time.Hour) // code that was left behind ends
			})
		})
	}
}

// TestTimedOutAttemptIsTriedAgain: the time-out of an attempt is a failure like
// any other for the retry policy.
func TestTimedOutAttemptIsTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		var attempts atomic.Int32
		e.start(nil, work.With(func(ctx context.Context, _ string) (string, error) {
			if attempts.Add(1) < 3 {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			return "third", nil
		}, durable.StartToClose(time.Minute)), main.With(func(ctx *durable.Context, in string) (string, error) {
			return work.Call(ctx, in, durable.Retry(durable.RetryPolicy{}))
		}))
		wantRun(e, begin(e, main, "i", ""), "third")
	})
}

func TestScheduleToClose(t *testing.T) {
	t.Parallel()
	hang := work.With(func(ctx context.Context, in string) (string, error) {
		if in == "quick" {
			return in, nil
		}
		<-ctx.Done()
		return "", context.Cause(ctx)
	}, durable.StartToClose(time.Minute))
	bound := durable.ScheduleToClose(90 * time.Second)
	retry := durable.Retry(durable.RetryPolicy{MaxAttempts: 10})
	for name, tt := range map[string]struct {
		code func(ctx *durable.Context) (string, error)
		want string
	}{
		"in time":               {func(ctx *durable.Context) (string, error) { return work.Call(ctx, "quick", bound) }, "quick<nil> 0s"},
		"one attempt":           {func(ctx *durable.Context) (string, error) { return work.Call(ctx, "", bound) }, "timeout: activity timed out 1m0s"},
		"all attempts":          {func(ctx *durable.Context) (string, error) { return work.Call(ctx, "", bound, retry) }, "timeout: activity timed out 1m30s"},
		"all attempts, futures": {func(ctx *durable.Context) (string, error) { return work.Schedule(ctx, "", retry, bound).Await(ctx) }, "timeout: activity timed out 1m30s"},
		"nobody takes it": {func(ctx *durable.Context) (string, error) {
			return work.Call(ctx, "quick", bound, durable.WithTag("nowhere"))
		}, "timeout: activity timed out 1m30s"},
		"zero is no bound": {func(ctx *durable.Context) (string, error) { return work.Call(ctx, "", durable.ScheduleToClose(0)) }, "timeout: activity timed out 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRuntime(t, []durable.Registration{hang, main.With(func(ctx *durable.Context, _ string) (string, error) {
				began := ctx.Now()
				out, err := tt.code(ctx)
				if err != nil && !errors.Is(err, durable.ErrTimeout) {
					return "", err
				}
				return fmt.Sprint(out, err, " ", ctx.Now().Sub(began)), nil
			})}, func(e *env) {
				wantRun(e, begin(e, main, "i", ""), tt.want)
			})
		})
	}
}
