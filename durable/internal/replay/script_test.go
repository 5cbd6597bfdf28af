package replay_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// script is orchestration code made of random steps. The same seed gives the
// same code; what it does also depends on what it sees, which it notes down.
type script struct {
	seed  uint64
	notes []string
	// steps bounds all blocks together.
	steps int
}

func (s *script) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *script) run(c *replay.Context, in string) (string, error) {
	s.notes, s.steps = nil, 200
	p := &part{script: s, c: c, rng: rand.New(rand.NewPCG(s.seed, 1))}
	if err := p.run(); err != nil {
		return "", err
	}
	return strings.Join(s.notes, ";"), nil
}

// part is the orchestration function or a block of it.
type part struct {
	*script
	c     *replay.Context
	rng   *rand.Rand
	depth int
	held  []*replay.Future
	block []*replay.Block
}

func (p *part) run() error {
	for n := 4 + p.rng.IntN(30); n > 0 && p.steps > 0; n-- {
		p.steps--
		if err := p.step(); err != nil {
			return err
		}
	}
	return nil
}

var names = []string{"x", "y"}

func (p *part) name() string { return names[p.rng.IntN(len(names))] }

func (p *part) step() error {
	c := p.c
	switch k := p.rng.IntN(26); k {
	case 0, 1, 2:
		p.held = append(p.held, act(c, p.name()))
	case 3, 4:
		p.held = append(p.held, second(c))
	case 5, 6:
		p.held = append(p.held, c.Wait(p.name()))
	case 7, 8, 9:
		p.held = append(p.held, c.Dequeue(p.name()))
	case 10:
		p.held = append(p.held, c.Child("kid", "", p.name(), nil))
	case 11, 12, 13:
		if f := p.pick(); f != nil {
			v, err := await(c, f)
			p.note("%d got %s %v at %d", p.depth, v, err, c.Now().Unix())
		}
	case 14, 15, 16:
		p.race(k == 16)
	case 17:
		if f := p.pick(); f != nil {
			f.Drop()
		}
	case 18:
		c.KVSet(p.name(), fmt.Sprint(len(p.notes)))
	case 19:
		p.note("kv %s", kvState(c))
		c.KVClear(p.name())
	case 20:
		p.note("pruned %d", c.KVPrune(core.Milliseconds(c.Now())-uint64(p.rng.IntN(3)*1000)))
	case 21:
		c.SetStatus(new(fmt.Sprint(len(p.notes))))
	case 22:
		c.Detached("free", fmt.Sprint("free-", p.steps), "x", nil)
	case 23, 24:
		p.startBlock()
	case 25:
		if n := len(p.block); n > 0 && p.rng.IntN(2) == 0 {
			p.block[p.rng.IntN(n)].Kill()
		} else if p.depth == 0 && p.rng.IntN(4) == 0 {
			return [...]error{errors.New("given up"), &replay.ContinueAsNew{Input: "again"}}[p.rng.IntN(2)]
		}
	}
	return nil
}

func (p *part) pick() *replay.Future {
	if len(p.held) == 0 {
		return nil
	}
	return p.held[p.rng.IntN(len(p.held))]
}

// race waits for the first of up to three held futures; with borrow the others
// go on.
func (p *part) race(borrow bool) {
	var in []*replay.Future
	for range 3 {
		if f := p.pick(); f != nil && !slices.Contains(in, f) {
			in = append(in, f)
		}
	}
	if len(in) == 0 {
		return
	}
	winner := 0
	if borrow {
		winner = choose(p.c, in...)
	} else {
		winner = race(p.c, in...)
	}
	v, err := await(p.c, in[winner])
	p.note("%d winner %d %s %v", p.depth, winner, v, err)
}

func (p *part) startBlock() {
	if p.depth == 2 {
		return
	}
	inner := &part{script: p.script, rng: rand.New(rand.NewPCG(p.rng.Uint64(), 2)), depth: p.depth + 1}
	ended := false
	p.block = append(p.block, p.c.Go(func(c *replay.Context) {
		inner.c = c
		_ = inner.run()
		ended = true
		p.note("block of %d ended", p.depth)
	}))
	if p.rng.IntN(3) == 0 { // wait for it, but not for ever
		timeout := second(p.c)
		p.c.Block(func() bool { return ended || timeout.Ready() })
		p.note("block ended: %v", ended)
	}
}

// world answers what a script asks for, in random batches.
type world struct {
	rng  *rand.Rand
	open []core.WorkItem
}

func (w *world) take(out replay.Output) {
	for _, item := range out.WorkerItems {
		a := item.(core.ActivityExecuteItem)
		if w.rng.IntN(5) == 0 {
			w.open = append(w.open, failed(a.ID, "f"))
		} else {
			w.open = append(w.open, done(a.ID, fmt.Sprint("r", a.ID)))
		}
	}
	for _, item := range out.OrchestratorItems {
		switch item := item.(type) {
		case core.TimerFiredItem:
			w.open = append(w.open, item)
		case core.StartOrchestrationItem:
			if item.ParentID != nil {
				w.open = append(w.open, childDone(*item.ParentID, "k"))
			}
		}
	}
}

func (w *world) batch() []core.WorkItem {
	var batch []core.WorkItem
	for range w.rng.IntN(4) {
		switch w.rng.IntN(9) {
		case 0, 1:
			batch = append(batch, queued(names[w.rng.IntN(2)], fmt.Sprint("m", w.rng.IntN(100))))
		case 2, 3:
			batch = append(batch, raised(names[w.rng.IntN(2)], fmt.Sprint("e", w.rng.IntN(100))))
		default:
			if n := len(w.open); n > 0 {
				i := w.rng.IntN(n)
				batch = append(batch, w.open[i])
				if w.rng.IntN(6) > 0 { // else it comes once more
					w.open = slices.Delete(w.open, i, i+1)
				}
			}
		}
	}
	return batch
}

// checkScript runs one random script to its end, or for some turns. After each
// turn the whole history is replayed as stored: nothing new may come of it, and
// the code must see what it saw. A turn run twice gives the same.
func checkScript(t *testing.T, seed uint64, stamp string) (result replay.Result, turns int) {
	t.Helper()
	code := &script{seed: seed}
	s := newSim(t, code.run)
	s.stamp, s.strict, s.unchecked = stamp, true, true
	w := &world{rng: rand.New(rand.NewPCG(seed, 3))}
	for turns = 1; turns <= 30; turns++ {
		before := s.history
		messages := w.batch()
		out := s.turn(messages...)
		seen := code.notes
		s.checkRows(out.Result)

		after := s.history
		s.history = before
		again := replay.Run(s.input(messages...))
		if diff := cmp.Diff(out.Delta, again.Delta); diff != "" {
			t.Fatalf("seed %d, turn %d: run again gives other events:\n%s", seed, turns, diff)
		}
		if diff := cmp.Diff(seen, code.notes); diff != "" {
			t.Fatalf("seed %d, turn %d: run again the code sees something else:\n%s", seed, turns, diff)
		}

		s.history = after
		if out.Result != replay.Continue {
			return out.Result, turns
		}
		s.checkCold(code, seed, seen)
		w.take(out)
	}
	return replay.Continue, turns
}

// checkRows checks what holds of every history: ids count up, at most one end,
// at the end but for what it gives up, and each completion once, after what it
// completes.
func (s *sim) checkRows(result replay.Result) {
	s.t.Helper()
	schedules, ends := map[uint64]string{}, 0
	for i, ev := range s.history {
		if ev.ID != uint64(i+1) {
			s.t.Fatalf("event %d has id %d", i+1, ev.ID)
		}
		completes := ""
		switch ev.Data.(type) {
		case core.ActivityScheduled:
			schedules[ev.ID] = "activity"
		case core.TimerCreated:
			schedules[ev.ID] = "timer"
		case core.SubOrchestrationScheduled:
			schedules[ev.ID] = "child"
		case core.ActivityCompleted, core.ActivityFailed:
			completes = "activity"
		case core.TimerFired:
			completes = "timer"
		case core.SubOrchestrationCompleted, core.SubOrchestrationFailed:
			completes = "child"
		}
		if completes != "" {
			if schedules[*ev.SourceID] != completes {
				s.t.Fatalf("%s completes no open %s", show([]core.Event{ev}), completes)
			}
			delete(schedules, *ev.SourceID)
		}
		if ev.IsTerminal() {
			ends++
		}
	}
	if want := map[bool]int{true: 0, false: 1}[result == replay.Continue]; ends != want {
		s.t.Fatalf("%d ends after %v:\n%s", ends, result, strings.Join(show(s.history), "\n"))
	}
}

// checkCold replays what is stored of a running execution.
func (s *sim) checkCold(code *script, seed uint64, seen []string) {
	s.t.Helper()
	cold := replay.Run(s.input())
	history := "history:\n" + strings.Join(show(s.history), "\n")
	switch diff := cmp.Diff(seen, code.notes); {
	case cold.Nondeterminism != nil || cold.Result != replay.Continue:
		s.t.Fatalf("seed %d: replay gives %v, %v\n%s", seed, cold.Result, cold.Failure, history)
	case len(cold.Delta)+len(cold.WorkerItems)+len(cold.OrchestratorItems) > 0:
		s.t.Fatalf("seed %d: replay adds %s\n%s", seed, show(cold.Delta), history)
	case diff != "":
		s.t.Fatalf("seed %d: on replay the code sees something else (-live +replay):\n%s\n%s", seed, diff, history)
	}
}

func TestRandomScripts(t *testing.T) {
	results := map[replay.Result]int{}
	n := uint64(250)
	if testing.Short() {
		n = 200
	}
	for seed := range n {
		result, turns := checkScript(t, seed, "0.1.32")
		results[result]++
		results[-1] += turns
	}
	t.Logf("%d turns; results: %v", results[-1], results)
	for _, r := range []replay.Result{replay.Completed, replay.Failed, replay.Continue, replay.ContinuedAsNew} {
		if results[r] < int(n/200) {
			t.Errorf("only %d of %d scripts end with %v: the test does not look", results[r], n, r)
		}
	}
}

func FuzzScripts(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { checkScript(t, seed, "0.1.32") })
}
