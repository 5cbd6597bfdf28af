package durable_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// transactional gives the in-memory provider transactions, in which everything
// happens at the commit. It writes down what is called.
type transactional struct {
	core.Provider
	// ends is how commits end, in their order; those beyond it commit.
	ends []ending

	mu    sync.Mutex
	calls []string
	held  bool // a transaction has acknowledged and not ended
	ended int
}

// ending is how a commit ends after some time: with an error, having taken
// effect or not.
type ending struct {
	after  time.Duration
	effect bool
	err    error
}

// memTx is a transaction.
type memTx struct {
	p   *transactional
	ops []func() error
}

func (*memTx) ProviderTx() {}

func (p *transactional) Unwrap() core.Provider { return p.Provider }

func (p *transactional) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held && (call == "renew" || call == "ack") {
		call += " of a row that a transaction has"
	}
	p.calls = append(p.calls, call)
}

// noted returns what was called.
func (p *transactional) noted() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func (p *transactional) hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
}

func (p *transactional) RenewWorkItemLock(ctx context.Context, a core.RenewLockParams) error {
	p.note("renew")
	return p.Provider.RenewWorkItemLock(ctx, a)
}

func (p *transactional) AckWorkItem(ctx context.Context, a core.AckWorkItemParams) error {
	p.note("ack")
	return p.Provider.AckWorkItem(ctx, a)
}

func (p *transactional) AbandonWorkItem(ctx context.Context, a core.AbandonParams) error {
	p.note("abandon")
	return p.Provider.AbandonWorkItem(ctx, a)
}

func (p *transactional) AckWorkItemTx(ctx context.Context, tx core.Tx, a core.AckWorkItemParams) error {
	// Until its end the transaction has the row, whatever happens to the lease.
	if err := p.Provider.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: a.LockToken, ExtendFor: 24 * time.Hour}); err != nil {
		p.note("refused")
		return err
	}
	p.note("ack in tx")
	p.hold(true)
	t := tx.(*memTx)
	t.ops = append(t.ops, func() error { return p.Provider.AckWorkItem(ctx, a) })
	return nil
}

func (p *transactional) EnqueueForOrchestratorTx(ctx context.Context, tx core.Tx, a core.EnqueueForOrchestratorParams) error {
	t := tx.(*memTx)
	t.ops = append(t.ops, func() error { return p.EnqueueForOrchestrator(ctx, a) })
	return nil
}

// begin is a [core.BeginFunc]; the handle takes the user's writes.
func (p *transactional) begin(context.Context) (*memTx, core.OpenTx, error) {
	p.note("begin")
	tx := &memTx{p: p}
	return tx, core.OpenTx{Tx: tx, Commit: tx.commit, Rollback: tx.rollback}, nil
}

func (t *memTx) write(what string) {
	t.ops = append(t.ops, func() error { t.p.note("wrote " + what); return nil })
}

func (t *memTx) commit(context.Context) error {
	end := ending{effect: true}
	t.p.mu.Lock()
	if t.p.ended < len(t.p.ends) {
		end = t.p.ends[t.p.ended]
	}
	t.p.ended++
	t.p.mu.Unlock()
	time.Sleep(end.after)
	t.p.hold(false)
	for _, op := range t.ops {
		if end.effect {
			if err := op(); err != nil {
				return err
			}
		}
	}
	t.ops = nil
	t.p.note("commit")
	return end.err
}

func (t *memTx) rollback(context.Context) error {
	t.p.hold(false)
	t.p.note("rollback")
	return nil
}

const inTx = durable.Activity[string, string]("in-tx")

// withTx runs f in a bubble with a provider of transactions and a runtime, whose
// orchestration main returns what the activity came to.
func withTx(t *testing.T, ends []ending, activity func(context.Context, *transactional) (string, error), f func(*env, *transactional)) {
	t.Helper()
	inBubble(t, func(e *env) {
		p := &transactional{Provider: e.p, ends: ends}
		e.p, e.client = p, durable.NewClient(p, nil)
		e.start(&durable.Options{ActivityLock: 30 * time.Second}, main.With(func(ctx *durable.Context, in string) (string, error) {
			return inTx.Call(ctx, in)
		}), inTx.With(func(ctx context.Context, _ string) (string, error) { return activity(ctx, p) }))
		f(e, p)
	})
}

// writes is the work of most activities here.
func writes(tx *memTx) (string, error) {
	tx.write("row")
	return "done", nil
}

var errNet = errors.New("connection reset")

func TestInTx(t *testing.T) {
	t.Parallel()
	once := []string{"renew", "begin", "ack in tx", "wrote row", "commit"}
	undone := []string{"renew", "begin", "ack in tx", "commit", "rollback"}
	tests := map[string]struct {
		ends     []ending
		activity func(context.Context, *transactional) (string, error)
		output   string // or
		failure  string
		calls    []string
	}{
		"records once": {
			activity: func(ctx context.Context, p *transactional) (string, error) { return durable.InTx(ctx, p.begin, writes) },
			output:   "done", calls: once,
		},
		"ignores what the activity returns after it": {
			activity: func(ctx context.Context, p *transactional) (string, error) {
				_, err := durable.InTx(ctx, p.begin, writes)
				return "something else", err
			},
			output: "done", calls: once,
		},
		"ignores an error after it": {
			activity: func(ctx context.Context, p *transactional) (string, error) {
				_, _ = durable.InTx(ctx, p.begin, writes)
				return "", errors.New("too late")
			},
			output: "done", calls: once,
		},
		"happens once": {
			activity: func(ctx context.Context, p *transactional) (string, error) {
				_, _ = durable.InTx(ctx, p.begin, writes)
				_, err := durable.InTx(ctx, p.begin, writes)
				if err == nil || !strings.Contains(err.Error(), "recorded already") {
					p.note("second: " + err.Error())
				}
				return "", err
			},
			output: "done", calls: once,
		},
		"rolls an error back": {
			activity: func(ctx context.Context, p *transactional) (string, error) {
				return durable.InTx(ctx, p.begin, func(tx *memTx) (string, error) { tx.write("row"); return "", errors.New("no stock") })
			},
			failure: "no stock", calls: []string{"renew", "begin", "rollback", "ack"},
		},
		"rolls a panic back": {
			activity: func(ctx context.Context, p *transactional) (string, error) {
				return durable.InTx(ctx, p.begin, func(*memTx) (string, error) { panic("boom") })
			},
			failure: "activity panicked: boom", calls: []string{"renew", "begin", "rollback", "ack"},
		},
		"fails when the commit does": {
			ends: []ending{{err: errNet}},
			activity: func(ctx context.Context, p *transactional) (string, error) {
				return durable.InTx(ctx, p.begin, writes)
			},
			failure: "activity in-tx: record its result: commit: connection reset", calls: append(slices.Clone(undone), "ack"),
		},
		"may be tried again": {
			ends: []ending{{err: errNet}},
			activity: func(ctx context.Context, p *transactional) (string, error) {
				if _, err := durable.InTx(ctx, p.begin, writes); !errors.Is(err, errNet) {
					return "", errors.New("not the error of the commit")
				}
				return durable.InTx(ctx, p.begin, writes)
			},
			output: "done", calls: slices.Concat(undone, once),
		},
		"counts a commit whose answer was lost": {
			ends: []ending{{err: errNet, effect: true}},
			activity: func(ctx context.Context, p *transactional) (string, error) {
				return durable.InTx(ctx, p.begin, writes)
			},
			output: "done", calls: []string{"renew", "begin", "ack in tx", "wrote row", "commit", "rollback", "ack"},
		},
		"renews until the acknowledgement and not after it": {
			ends: []ending{{after: 20 * time.Second, effect: true}},
			activity: func(ctx context.Context, p *transactional) (string, error) {
				time.Sleep(10 * time.Second) // the next interval begins with the transaction
				return durable.InTx(ctx, p.begin, func(tx *memTx) (string, error) {
					time.Sleep(time.Minute)
					return writes(tx)
				})
			},
			output: "done", calls: []string{"renew", "begin", "renew", "renew", "ack in tx", "wrote row", "commit"},
		},
		"makes heartbeats do without renewing": {
			ends: []ending{{after: 20 * time.Second, effect: true}},
			activity: func(ctx context.Context, p *transactional) (string, error) {
				var beating sync.WaitGroup
				defer beating.Wait()
				return durable.InTx(ctx, p.begin, func(tx *memTx) (string, error) {
					beating.Go(func() {
						time.Sleep(10 * time.Second)
						if err := durable.Heartbeat(ctx); err != nil {
							p.note(err.Error())
						}
					})
					return writes(tx)
				})
			},
			output: "done", calls: once,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withTx(t, tt.ends, tt.activity, func(e *env, p *transactional) {
				run := begin(e, main, "i", "")
				if tt.failure != "" {
					wantFailure(e, run, tt.failure)
				} else {
					wantRun(e, run, tt.output)
				}
				if diff := cmp.Diff(tt.calls, p.noted()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// An activity that is not wanted any more cannot record anything, whether its
// context tells already or not.
func TestInTxNotWanted(t *testing.T) {
	t.Parallel()
	for name, sleep := range map[string]time.Duration{"before a renewal told": 5 * time.Second, "after one told": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withTx(t, nil, func(ctx context.Context, p *transactional) (string, error) {
				out, err := durable.InTx(ctx, p.begin, func(tx *memTx) (string, error) {
					time.Sleep(sleep)
					return writes(tx)
				})
				if errors.Is(err, durable.ErrNotWanted) {
					p.note("not wanted")
				}
				return out, err
			}, func(e *env, p *transactional) {
				run := begin(e, main, "i", "")
				time.Sleep(time.Second)
				e.cancel("i", "no more")
				wantFailure(e, run, "canceled: no more")
				time.Sleep(2 * time.Minute)
				calls := p.noted()
				if slices.Contains(calls, "wrote row") || slices.Contains(calls, "ack") || !slices.Contains(calls, "rollback") || !slices.Contains(calls, "not wanted") {
					t.Errorf("calls %v", calls)
				}
			})
		})
	}
}

// A time-out that comes while a transaction commits comes too late.
func TestInTxTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		p := &transactional{Provider: e.p, ends: []ending{{after: 5 * time.Second, effect: true}}}
		e.p, e.client = p, durable.NewClient(p, nil)
		e.start(nil, main.With(func(ctx *durable.Context, in string) (string, error) { return inTx.Call(ctx, in) }),
			inTx.With(func(ctx context.Context, _ string) (string, error) {
				return durable.InTx(ctx, p.begin, writes)
			}, durable.StartToClose(time.Second)))
		want(e, main, "i", "", "done")
		if diff := cmp.Diff([]string{"renew", "begin", "ack in tx", "wrote row", "commit"}, p.noted()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// What a shutdown interrupts is rolled back and runs again.
func TestInTxShutdown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		p := &transactional{Provider: e.p}
		e.p, e.client = p, durable.NewClient(p, nil)
		activity := inTx.With(func(ctx context.Context, _ string) (string, error) {
			return durable.InTx(ctx, p.begin, func(tx *memTx) (string, error) {
				if durable.Info(ctx).Attempt == 1 && len(p.noted()) < 4 {
					<-ctx.Done()
				}
				return writes(tx)
			})
		})
		flow := main.With(func(ctx *durable.Context, in string) (string, error) { return inTx.Call(ctx, in) })
		reg := durable.NewRegistry()
		if err := reg.Add(flow, activity); err != nil {
			t.Fatal(err)
		}
		rt, err := durable.NewRuntime(p, reg, nil)
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
		e.start(nil, flow, activity)
		wantRun(e, run, "done")
		want := []string{"renew", "begin", "abandon", "rollback", "renew", "begin", "ack in tx", "wrote row", "commit"}
		got := p.noted()
		slices.Sort(want[2:4]) // both follow the end of the context
		slices.Sort(got[2:4])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// What cannot be done in a transaction is refused before one begins.
func TestInTxRefused(t *testing.T) {
	t.Parallel()
	number := func(*memTx) (int, error) { return 1, nil }
	tests := map[string]struct {
		call    func(context.Context, *transactional) error
		want    error
		without bool // a provider without the ability
	}{
		"another output": {call: func(ctx context.Context, p *transactional) error {
			_, err := durable.InTx(ctx, p.begin, number)
			return err
		}, want: durable.ErrInvalidInput},
		"no begin": {call: func(ctx context.Context, _ *transactional) error {
			_, err := durable.InTx(ctx, nil, writes)
			return err
		}, want: durable.ErrInvalidInput},
		"no function": {call: func(ctx context.Context, p *transactional) error {
			_, err := durable.InTx[*memTx, string](ctx, p.begin, nil)
			return err
		}, want: durable.ErrInvalidInput},
		"begin fails": {call: func(ctx context.Context, _ *transactional) error {
			_, err := durable.InTx(ctx, func(context.Context) (*memTx, core.OpenTx, error) { return nil, core.OpenTx{}, errNet }, writes)
			return err
		}, want: errNet},
		"no ability": {call: func(ctx context.Context, p *transactional) error {
			_, err := durable.InTx(ctx, p.begin, writes)
			return err
		}, want: durable.ErrNotSupported, without: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				p := &transactional{Provider: e.p}
				if !tt.without {
					e.p, e.client = p, durable.NewClient(p, nil)
				}
				e.start(nil, main.With(func(ctx *durable.Context, in string) (string, error) { return inTx.Call(ctx, in) }),
					inTx.With(func(ctx context.Context, _ string) (string, error) {
						if err := tt.call(ctx, p); !errors.Is(err, tt.want) {
							return "", err
						}
						return "refused", nil
					}))
				want(e, main, "i", "", "refused")
				if slices.Contains(p.noted(), "begin") {
					t.Error("a transaction began")
				}
			})
		})
	}
	t.Run("no activity", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if r := recover(); r != "durable: InTx needs the context of an activity" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, _ = durable.InTx(t.Context(), (&transactional{}).begin, writes)
	})
}
