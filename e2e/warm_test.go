package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// Two runtimes serve the same instances. Each keeps some suspended that the other
// goes on with, and notices.
func TestWarmInstancesOfTwoRuntimes(t *testing.T) {
	onEachTwo(t, func(t *testing.T, s *twoRuntimes) {
		a, b := s.run(t, 0, longCode()...), s.run(t, 0, longCode()...)
		s.runInTurns(t, a, b)
		for name, r := range map[string]*warmRuntime{"first": a, "second": b} {
			// Each went on with all that the other had left, and stayed with it.
			if stats := r.WarmStats(); stats.Misses < longInstances || stats.Hits == 0 || stats.Mismatches > 0 {
				t.Errorf("the %s runtime: %+v", name, stats)
			}
		}
	})
}

// A runtime that keeps nothing suspended takes turns off one that does.
func TestWarmInstancesBesideColdOnes(t *testing.T) {
	onEachTwo(t, func(t *testing.T, s *twoRuntimes) {
		warm, cold := s.run(t, 0, longCode()...), s.run(t, -1, longCode()...)
		s.runInTurns(t, warm, cold)
		if stats := warm.WarmStats(); stats.Misses < longInstances || stats.Hits == 0 || stats.Mismatches > 0 {
			t.Errorf("the warm runtime: %+v", stats)
		}
		if stats := cold.WarmStats(); stats.Hits > 0 || stats.Instances > 0 {
			t.Errorf("the cold runtime: %+v", stats)
		}
	})
}

// An instance is deleted and started again while a runtime keeps its first life
// suspended, at the same event as the second has come to.
func TestWarmInstanceOfAnotherLife(t *testing.T) {
	const greeting = durable.Orchestration[string, string]("greeting")
	code := greeting.With(func(ctx *durable.Context, word string) (string, error) {
		name, err := durable.WaitEvent[string](ctx, "name").Await(ctx)
		return word + " " + name, err
	})
	onEachTwo(t, func(t *testing.T, s *twoRuntimes) {
		a, b := s.run(t, 0, code), s.run(t, 0, code)
		suspended := func(r *warmRuntime) {
			// Its code is suspended a moment before its turn is stored.
			until(t, s.ctx, "the instance is not suspended", func() bool {
				_, err := s.client.Status(s.ctx, "i")
				return err == nil && r.WarmStats().Instances == 1
			})
		}
		b.without(func() {
			_, err := greeting.Start(s.ctx, s.client, "i", "hello")
			must(t, err)
			suspended(a)
		})
		admin, ok := core.Ability[core.Admin](a.gate)
		if !ok {
			t.Fatal("the provider has no core.Admin")
		}
		_, err := admin.DeleteInstance(s.ctx, core.DeleteInstanceParams{Instance: "i", Force: true})
		must(t, err)
		var second *durable.Run[string]
		a.without(func() {
			second, err = greeting.Start(s.ctx, s.client, "i", "goodbye")
			must(t, err)
			suspended(b)
		})
		b.without(func() {
			must(t, s.client.RaiseEvent(s.ctx, "i", "name", "Ann"))
			out, err := second.Wait(s.ctx)
			must(t, err)
			equal(t, "output", "goodbye Ann", out)
		})
		if stats := a.WarmStats(); stats.Hits != 0 || stats.Misses == 0 {
			t.Errorf("the runtime with the first life: %+v", stats)
		}
		s.replay(t, []string{"i"}, code)
	})
}

const (
	longInstances = 10
	longStages    = 3 // each ends with an event
	longSteps     = 3 // activities of a stage, and after all stages

	long    = durable.Orchestration[int, int]("long")
	longAdd = durable.Activity[int, int]("add one")
)

func longCode() []durable.Registration {
	return []durable.Registration{
		longAdd.With(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		long.With(func(ctx *durable.Context, n int) (_ int, err error) {
			for stage := range longStages + 1 {
				for range longSteps {
					if n, err = longAdd.Call(ctx, n); err != nil {
						return 0, err
					}
				}
				if stage == longStages {
					break
				}
				ctx.SetStatus(fmt.Sprint("stage ", stage))
				more, err := durable.WaitEvent[int](ctx, "go").Await(ctx)
				if err != nil {
					return 0, err
				}
				n += more
			}
			return n, nil
		}),
	}
}

// runInTurns runs instances of which a takes the turns of the first and the third
// stage, b those of the second, and both the rest.
func (s *twoRuntimes) runInTurns(t *testing.T, a, b *warmRuntime) {
	t.Helper()
	ids := make([]string, longInstances)
	runs := make([]*durable.Run[int], longInstances)
	goOn := func() {
		for _, id := range ids {
			must(t, s.client.RaiseEvent(s.ctx, id, "go", 100))
		}
	}
	reached := func(stage int) {
		want := fmt.Sprint("stage ", stage)
		for _, id := range ids {
			until(t, s.ctx, id+" does not reach "+want, func() bool {
				status, err := s.client.Status(s.ctx, id)
				if errors.Is(err, durable.ErrInstanceNotFound) { // its first turn is still to come
					return false
				}
				must(t, err)
				return status.CustomStatus != nil && *status.CustomStatus == want
			})
		}
	}
	b.without(func() {
		for i := range ids {
			var err error
			ids[i] = fmt.Sprint("instance ", i)
			runs[i], err = long.Start(s.ctx, s.client, ids[i], 1000*i)
			must(t, err)
		}
		reached(0)
	})
	a.without(func() {
		goOn()
		reached(1)
	})
	b.without(func() {
		goOn()
		reached(2)
	})
	goOn()
	for i, run := range runs {
		out, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "output of "+ids[i], 1000*i+100*longStages+longSteps*(longStages+1), out)
		events, err := s.client.History(s.ctx, ids[i])
		must(t, err)
		// The start and the end; of an activity two events, of a stage three.
		if want := 2 + 2*longSteps*(longStages+1) + 3*longStages; len(events) != want || events[want-1].ID != uint64(want) {
			t.Errorf("%s has %d events, want %d that are numbered one after the other", ids[i], len(events), want)
		}
	}
	s.replay(t, ids, longCode()...)
}

// twoRuntimes is a store that two runtimes share, each with a provider of its own
// as another process would have.
type twoRuntimes struct {
	ctx    context.Context // ends after patience
	client *durable.Client
	open   func(t *testing.T) core.Provider
}

func onEachTwo(t *testing.T, f func(t *testing.T, s *twoRuntimes)) {
	t.Helper()
	t.Parallel()
	t.Run("pgprovider", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		f(t, &twoRuntimes{ctx: w.ctx, client: w.client(t), open: func(t *testing.T) core.Provider {
			return w.provider(t, func(o *pgprovider.Options) { o.LongPoll.Disabled = true })
		}})
	})
	t.Run("sqliteprovider", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		open := func(t *testing.T) core.Provider {
			p, err := sqliteprovider.Open(t.Context(), path, &sqliteprovider.Options{DisableLongPoll: true})
			must(t, err)
			t.Cleanup(func() { must(t, p.Close()) })
			return p
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		f(t, &twoRuntimes{ctx: ctx, client: durable.NewClient(open(t), nil), open: open})
	})
}

// warmRuntime is a runtime that can be kept from taking turns.
type warmRuntime struct {
	*durable.Runtime
	gate *turnGate
}

func (s *twoRuntimes) run(t *testing.T, warmInstances int, code ...durable.Registration) *warmRuntime {
	t.Helper()
	gate := &turnGate{Provider: s.open(t)}
	o := &durable.Options{WarmInstances: warmInstances, MinPollInterval: 5 * time.Millisecond}
	return &warmRuntime{runOn(t, gate, o, code...), gate}
}

// without calls f while the runtime takes no turns.
func (r *warmRuntime) without(f func()) {
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	f()
}

// turnGate lets no turn be fetched while its lock is held. Its provider must not
// wait for work.
type turnGate struct {
	core.Provider
	mu sync.RWMutex
}

func (g *turnGate) Unwrap() core.Provider { return g.Provider }

func (g *turnGate) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.Provider.FetchOrchestrationItem(ctx, p)
}

// replay checks that the code repeats the histories, turn by turn.
func (s *twoRuntimes) replay(t *testing.T, ids []string, code ...durable.Registration) {
	t.Helper()
	reg := durable.NewRegistry()
	must(t, reg.Add(code...))
	file, err := os.Create(filepath.Join(t.TempDir(), "all"+durabletest.FileSuffix))
	must(t, err)
	for _, id := range ids {
		must(t, s.client.ExportHistory(s.ctx, file, id, nil))
	}
	must(t, file.Close())
	report, err := durabletest.Check(reg, &durabletest.CheckOptions{StrictInputs: true, Exact: true}, file.Name())
	must(t, err)
	equal(t, "what a replay does otherwise", &durabletest.Report{Executions: len(ids), Turns: report.Turns}, report)
}
