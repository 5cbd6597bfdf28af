package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// tellLives returns its input, or fails with it.
func tellLives() []durable.Registration {
	return code(func(ctx *durable.Context, in string) (string, error) {
		if failure, ok := strings.CutPrefix(in, "fail "); ok {
			return "", errors.New(failure)
		}
		if in == "wait" {
			ctx.Sleep(time.Hour)
		}
		return in, nil
	})
}

func TestReuse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first   string
		options []durable.StartOption
		err     error
		want    string // of the instance in the end
	}{
		"by default it is there":         {"one", nil, nil, "one"},
		"never, even if it failed":       {"fail one", []durable.StartOption{durable.OnConflict(durable.FailIfExists)}, durable.ErrInstanceExists, ""},
		"failed may be replaced":         {"fail one", []durable.StartOption{durable.Reuse(durable.ReuseFailed)}, nil, "two"},
		"completed is not failed":        {"one", []durable.StartOption{durable.Reuse(durable.ReuseFailed)}, nil, "one"},
		"completed is not failed, told":  {"one", []durable.StartOption{durable.Reuse(durable.ReuseFailed), durable.OnConflict(durable.FailIfExists)}, durable.ErrInstanceExists, "one"},
		"ended may be replaced":          {"one", []durable.StartOption{durable.Reuse(durable.ReuseEnded)}, nil, "two"},
		"running is not replaced":        {"wait", []durable.StartOption{durable.Reuse(durable.ReuseEnded)}, nil, "wait"},
		"running is not replaced, told":  {"wait", []durable.StartOption{durable.Reuse(durable.ReuseEnded), durable.OnConflict(durable.FailIfExists)}, durable.ErrInstanceExists, "wait"},
		"a policy that does not exist":   {"one", []durable.StartOption{durable.Reuse(7)}, durable.ErrInvalidInput, "one"},
		"a conflict that does not exist": {"one", []durable.StartOption{durable.OnConflict(7)}, durable.ErrInvalidInput, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRuntime(t, tellLives(), func(e *env) {
				run := begin(e, main, "i", tt.first)
				if tt.first == "wait" {
					synctest.Wait()
				} else {
					_, _ = result(e, run)
				}
				_, err := main.Start(e.ctx, e.client, "i", "two", tt.options...)
				if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
					t.Fatalf("%v, want %v", err, tt.err)
				}
				if tt.want != "" {
					synctest.Wait()
					wantRun(e, run, tt.want)
				}
			})
		})
	}
}

// TestRequestID: a request that is sent again finds what it started, whatever
// became of it.
func TestRequestID(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(func(ctx *durable.Context, in string) (string, error) {
		if len(in) < 3 {
			ctx.Sleep(time.Minute)
			return "", main.ContinueAsNew(in + "+")
		}
		return in, nil
	}), func(e *env) {
		start := func(request, in string) error {
			_, err := main.Start(e.ctx, e.client, "i", in, durable.RequestID(request),
				durable.OnConflict(durable.FailIfExists), durable.Reuse(durable.ReuseEnded))
			return err
		}
		for i := range 3 { // queued, running, continued as new
			if err := start("r1", "a"); err != nil {
				t.Errorf("%d: %v", i, err)
			}
			time.Sleep(time.Minute + time.Second)
		}
		run := main.Run(e.client, "i")
		wantRun(e, run, "a++")
		if err := start("r1", "a"); err != nil {
			t.Error("ended:", err)
		}
		wantRun(e, run, "a++")
		if _, err := main.Start(e.ctx, e.client, "i", "b", durable.RequestID("r2"), durable.OnConflict(durable.FailIfExists)); !errors.Is(err, durable.ErrInstanceExists) {
			t.Error("another request:", err)
		}
		if err := start("r2", "bcd"); err != nil {
			t.Error("another request, with reuse:", err)
		}
		wantRun(e, run, "bcd")
	})
}

func TestDelayedStart(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func() durable.StartOption{
		"after a while": func() durable.StartOption { return durable.StartAfter(time.Hour) },
		"at a time":     func() durable.StartOption { return durable.StartAt(time.Now().Add(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRuntime(t, code(func(ctx *durable.Context, in string) (string, error) {
				m, err := durable.Dequeue[string](ctx, "q").Await(ctx)
				return fmt.Sprint(in, " ", m, " ", ctx.Now().Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))), err
			}), func(e *env) {
				run, err := main.Start(e.ctx, e.client, "i", "in", option())
				if err != nil {
					t.Fatal(err)
				}
				e.enqueue("i", "q", "early") // waits for the start
				time.Sleep(59 * time.Minute)
				if _, err := e.client.Status(e.ctx, "i"); !errors.Is(err, durable.ErrInstanceNotFound) {
					t.Error("before its start:", err)
				}
				wantRun(e, run, "in early 1h0m0s")
			})
		})
	}
	t.Run("in the past", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, tellLives(), func(e *env) {
			run, err := main.Start(e.ctx, e.client, "i", "in", durable.StartAt(time.Now().Add(-time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			wantRun(e, run, "in")
		})
	})
	t.Run("cancelled before", func(t *testing.T) {
		t.Parallel()
		withRuntime(t, tellLives(), func(e *env) {
			run, err := main.Start(e.ctx, e.client, "i", "in", durable.StartAfter(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			e.cancel("i", "no more")
			wantFailure(e, run, "canceled: no more")
		})
	})
}

// TestReuseNeedsDeletion: a provider that cannot delete says so, and nothing is
// started.
func TestReuseNeedsDeletion(t *testing.T) {
	t.Parallel()
	withRuntime(t, tellLives(), func(e *env) {
		wantRun(e, begin(e, main, "i", "one"), "one")
		client := durable.NewClient(onlyProvider{e.p}, nil)
		if _, err := main.Start(context.Background(), client, "i", "two", durable.Reuse(durable.ReuseEnded)); !errors.Is(err, durable.ErrNotSupported) {
			t.Error(err)
		}
		wantRun(e, main.Run(e.client, "i"), "one")
	})
}

// onlyProvider hides the optional abilities.
type onlyProvider struct{ core.Provider }
