package dispatch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// TestWarmHistoriesAreColdHistories runs the same random orchestrations, driven
// by the same random messages, deletions and restarts, in two processes that keep
// nothing suspended, everything, and something: the stored histories are the
// same to the last byte. Two, because the one that deleted an instance would
// notice by itself that the next one under its id is another.
func TestWarmHistoriesAreColdHistories(t *testing.T) {
	t.Parallel()
	seeds := uint64(40)
	if testing.Short() {
		seeds = 10
	}
	modes := map[string]WarmConfig{
		"cold":           {},
		"warm":           {Instances: 100, Bytes: 1 << 30},
		"evicted often":  {Instances: 1, Bytes: 1 << 30},
		"always checked": {Instances: 100, Bytes: 1 << 30, CheckEvery: 1},
	}
	hits, restarts := uint64(0), 0
	for seed := range seeds {
		var cold []string
		for _, mode := range []string{"cold", "warm", "evicted often", "always checked"} {
			w := newModelWorld(t, seed, modes[mode])
			w.run(400)
			got := w.histories()
			if mode == "cold" {
				cold = got
				restarts += w.restarts
			} else if diff := cmp.Diff(cold, got); diff != "" {
				t.Fatalf("seed %d: cold (-) and %s (+) histories differ:\n%s", seed, mode, diff)
			}
			for _, d := range w.processes {
				if mode == "warm" {
					hits += d.Warm().Hits
				}
				if n := d.Warm().Mismatches; n > 0 {
					t.Fatalf("seed %d, %s: %d mismatches", seed, mode, n)
				}
			}
			w.close()
		}
	}
	if hits < 10*seeds || restarts < int(seeds) {
		t.Errorf("only %d resumed turns and %d restarts: the test does not look", hits, restarts)
	}
}

// modelClock stands still until it is moved. Its timers never fire.
type modelClock struct{ now time.Time }

func (c *modelClock) Now() time.Time { return c.now }
func (c *modelClock) NewTimer(d time.Duration) core.Timer {
	return core.SystemClock().NewTimer(d + time.Hour)
}

// modelWorld is two dispatchers on one store, whose every step the test makes.
type modelWorld struct {
	t         *testing.T
	rng       *rand.Rand
	p         *memprovider.Provider
	processes [2]*Dispatcher
	clock     *modelClock
	running   map[string]bool
	ever      map[string]bool
	restarts  int
	deleted   []string // what was stored when it was deleted
}

var modelIDs = []string{"i", "j", "k"}

func newModelWorld(t *testing.T, seed uint64, warm WarmConfig) *modelWorld {
	clock := &modelClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	code := code{orchestrations: map[string]replay.Handler{"o": modelCode, "kid": callA}}
	w := &modelWorld{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), clock: clock, running: map[string]bool{}, ever: map[string]bool{},
		p: memprovider.New(&memprovider.Options{Clock: clock}),
	}
	turns := turnsOf(code, discard())
	turns.Now, turns.Suspend = clock.Now, warm.Instances > 0
	for i := range w.processes {
		d := &Dispatcher{log: discard(), working: t.Context(), cfg: Config{
			Provider: w.p, Registry: code, Turns: turns, Clock: clock, Logger: discard(),
			InstanceLock: time.Minute, InstanceLockBuffer: time.Second,
		}}
		if warm.Instances > 0 {
			d.warm, d.historyLimit = newWarmCache(warm), 4
		}
		w.processes[i] = d
	}
	return w
}

func (w *modelWorld) close() {
	for _, d := range w.processes {
		if d.warm != nil {
			d.warm.close()
		}
	}
}

// modelCode draws its steps from its input and from what it sees.
func modelCode(c *replay.Context, in string) (string, error) {
	var seed uint64
	for _, b := range []byte(in) {
		seed = seed*31 + uint64(b)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	out := ""
	var held []*replay.Future
	for range 3 + rng.IntN(12) {
		switch rng.IntN(12) {
		case 0, 1, 2:
			held = append(held, c.Activity("a", fmt.Sprint(rng.IntN(9)), nil, nil))
		case 3:
			held = append(held, c.Timer(time.Duration(rng.IntN(3))*time.Second))
		case 4:
			held = append(held, c.Wait("e"))
		case 5:
			held = append(held, c.Dequeue("q"))
		case 6:
			held = append(held, c.Child("kid", "", "x", nil))
		case 7:
			c.KVSet("k", out)
		case 8:
			c.SetStatus(new(out))
		default:
			if len(held) == 0 {
				continue
			}
			a, b := held[rng.IntN(len(held))], held[rng.IntN(len(held))]
			c.Block(func() bool { return a.Ready() || b.Ready() })
			if !a.Ready() {
				a = b
			}
			value, details, err := a.Take()
			out += fmt.Sprint("[", value, details != nil, err != nil, c.Now().Unix()%100, "]")
			if a != b && rng.IntN(2) == 0 {
				b.Drop()
			}
		}
	}
	if len(in) < 6 && rng.IntN(2) == 0 {
		return "", &replay.ContinueAsNew{Input: in + "+"}
	}
	return out, nil
}

func (w *modelWorld) run(steps int) {
	for range steps {
		w.clock.now = w.clock.now.Add(time.Duration(w.rng.IntN(400)) * time.Millisecond)
		id := modelIDs[w.rng.IntN(len(modelIDs))]
		switch w.rng.IntN(20) {
		case 0, 1, 2:
			w.start(id)
		case 3, 4:
			w.send(core.ExternalRaisedItem{Instance: id, Name: "e", Data: fmt.Sprint(w.rng.IntN(9))})
		case 5, 6:
			if w.running[id] {
				w.send(core.QueueMessageItem{Instance: id, Name: "q", Data: fmt.Sprint(w.rng.IntN(9))})
			}
		case 7:
			if w.rng.IntN(4) == 0 {
				w.send(core.CancelInstanceItem{Instance: id, Reason: "r"})
			}
		case 8:
			if w.rng.IntN(3) == 0 {
				w.delete(id)
			}
		case 9, 10, 11, 12:
			w.activity()
		default:
			w.turn()
		}
	}
}

func (w *modelWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *modelWorld) send(item core.WorkItem) {
	w.must(w.p.EnqueueForOrchestrator(w.t.Context(), core.EnqueueForOrchestratorParams{Item: item}))
}

func (w *modelWorld) start(id string) {
	if w.running[id] {
		return
	}
	if w.ever[id] {
		w.restarts++
	}
	w.running[id], w.ever[id] = true, true
	w.send(core.StartOrchestrationItem{Instance: id, Orchestration: "o", Input: fmt.Sprint(w.rng.IntN(30)), ExecutionID: 1})
}

// delete forgets an instance, so that its id is free for another one.
func (w *modelWorld) delete(id string) {
	w.deleted = append(w.deleted, w.history(id))
	_, err := w.p.DeleteInstance(w.t.Context(), core.DeleteInstanceParams{Instance: id, Force: true})
	if !errors.Is(err, core.ErrNotFound) {
		w.must(err)
		w.running[id] = false
	}
}

func (w *modelWorld) turn() {
	d := w.processes[w.rng.IntN(2)]
	item, err := w.p.FetchOrchestrationItem(w.t.Context(), core.FetchOrchestrationItemParams{LockTimeout: time.Minute, HistoryLimit: d.historyLimit})
	w.must(err)
	if item != nil {
		d.turn(item)
	}
}

func (w *modelWorld) activity() {
	item, err := w.p.FetchWorkItem(w.t.Context(), core.FetchWorkItemParams{LockTimeout: time.Minute})
	w.must(err)
	if item == nil {
		return
	}
	a := item.Item.(core.ActivityExecuteItem)
	var completion core.WorkItem = core.ActivityCompletedItem{Instance: a.Instance, ExecutionID: a.ExecutionID, ID: a.ID, Result: "r" + a.Input}
	if w.rng.IntN(6) == 0 {
		completion = core.ActivityFailedItem{Instance: a.Instance, ExecutionID: a.ExecutionID, ID: a.ID, Details: core.ApplicationError{
			Kind: core.KindActivityFailed, Message: "f",
		}}
	}
	w.must(w.p.AckWorkItem(w.t.Context(), core.AckWorkItemParams{LockToken: item.LockToken, Completion: completion}))
}

// history returns every event of an instance as it is stored.
func (w *modelWorld) history(id string) string {
	text := id
	for execution := uint64(1); ; execution++ {
		events, err := w.p.ReadWithExecution(w.t.Context(), core.ReadWithExecutionParams{Instance: id, ExecutionID: execution})
		w.must(err)
		if len(events) == 0 {
			return text
		}
		for _, ev := range events {
			b, err := core.EncodeEvent(ev)
			w.must(err)
			text += "\n" + string(b)
		}
	}
}

func (w *modelWorld) histories() []string {
	all := w.deleted
	for _, id := range modelIDs {
		all = append(all, w.history(id))
	}
	return all
}
