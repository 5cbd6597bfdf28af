package replay_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// An order is one way in which code opens, gives up and reads what arrives, and in
// which it arrives meanwhile.
type order struct {
	// code is a step a letter: o opens a wait and holds it, d and D give the
	// oldest and the newest one up, r reads the oldest, and t lets a turn go by.
	code string
	// arrivals are m for a message or a signal, t for what lets a turn go by, and
	// a bar between two batches.
	arrivals string
}

// orders are all with up to four steps before a last wait, two turns, three
// messages, and one, some or all of them in a batch.
func orders() []order {
	var codes []string
	var extend func(code string, held, turns int)
	extend = func(code string, held, turns int) {
		codes = append(codes, code+"or")
		if len(code) == 4 {
			return
		}
		extend(code+"o", held+1, turns)
		if held > 0 {
			extend(code+"d", held-1, turns)
			extend(code+"r", held-1, turns)
		}
		if held > 1 {
			extend(code+"D", held-1, turns)
		}
		if turns < 2 {
			extend(code+"t", held, turns+1)
		}
	}
	extend("", 0, 0)
	var all []order
	for first := range 4 {
		for second := first; second < 4; second++ {
			arrivals := strings.Repeat("m", first) + "t" + strings.Repeat("m", second-first) + "t" + strings.Repeat("m", 3-second)
			for _, a := range []string{arrivals, strings.Join(strings.Split(arrivals, ""), "|"), arrivals[:3] + "|" + arrivals[3:]} {
				for _, code := range codes {
					all = append(all, order{code, a})
				}
			}
		}
	}
	return all
}

// run is the code. What it saw is in notes.
func (o order) run(notes *[]string, open func(c *replay.Context) *replay.Future) replay.Handler {
	return func(c *replay.Context, _ string) (string, error) {
		*notes = nil
		turns := []*replay.Future{act(c, "t"), act(c, "t")} // 2 and 3
		var held []*replay.Future
		for i, step := range o.code {
			switch step {
			case 'o':
				held = append(held, open(c))
			case 'd':
				held[0].Drop()
				held = held[1:]
			case 'D':
				held[len(held)-1].Drop()
				held = held[:len(held)-1]
			case 'r':
				*notes = append(*notes, fmt.Sprint(i, must(c, held[0])))
				held = held[1:]
			case 't':
				must(c, turns[0])
				turns = turns[1:]
			}
		}
		*notes = append(*notes, "end")
		return await(c, act(c, "end")) // which never comes
	}
}

func (o order) batches(arrive func(name, data string) core.WorkItem) [][]core.WorkItem {
	var batches [][]core.WorkItem
	turns, messages := uint64(1), 0
	for part := range strings.SplitSeq(o.arrivals, "|") {
		var batch []core.WorkItem
		for _, a := range part {
			if a == 't' {
				turns++
				batch = append(batch, done(turns, ""))
			} else {
				messages++
				batch = append(batch, arrive("x", fmt.Sprint("m", messages)))
			}
		}
		batches = append(batches, batch)
	}
	return batches
}

// families are what the orders are tried with.
var families = map[string]struct {
	open   func(c *replay.Context) *replay.Future
	arrive func(name, data string) core.WorkItem
}{
	"queue":  {func(c *replay.Context) *replay.Future { return c.Dequeue("x") }, queued},
	"signal": {func(c *replay.Context) *replay.Future { return c.Wait("x") }, raised},
}

// TestEveryOrder: in whatever order code gives waits up, they are recorded, and
// messages and signals arrive, a replay of what is stored adds nothing and shows
// the code what it saw.
func TestEveryOrder(t *testing.T) {
	for name, family := range families {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := 0
			for _, o := range orders() {
				var notes []string
				s := newSim(t, o.run(&notes, family.open))
				s.unchecked = true
				for _, batch := range append([][]core.WorkItem{nil}, o.batches(family.arrive)...) {
					s.turn(batch...)
					seen := notes
					again := replay.Run(s.input())
					diff := cmp.Diff(seen, notes)
					if again.Result != replay.Continue || len(again.Delta) > 0 || diff != "" {
						t.Fatalf("%+v: replayed %v, adds %v, the code sees (-live +replay):\n%s\nhistory:\n%s",
							o, again.Result, show(again.Delta), diff, strings.Join(show(s.history), "\n"))
					}
				}
				if slices.Contains(notes, "end") {
					ends++
				}
			}
			if n := len(orders()); ends < n/3 {
				t.Errorf("the code of %d of %d gets to its end: the test does not look", ends, n)
			}
		})
	}
}

// legacyDecisions is what the old race policy comes to over all orders. Executions
// that it began go on by it, so it never changes.
const legacyDecisions = "5600bfbf09f1ad6ab3ae7879b70f6f466eb8b8da60b4287a2e110b2fca6439d9"

// TestLegacyDecisionsNeverChange: what executions of the old race policy record
// and show their code, and what becomes of a replay of that, is as it always was,
// with its faults.
func TestLegacyDecisionsNeverChange(t *testing.T) {
	t.Parallel()
	failures, h := 0, sha256.New()
	note := func(out replay.Output, seen []string) {
		if nd := out.Nondeterminism; nd != nil { // its text names lines of this file
			failures++
			fmt.Fprintln(h, out.Result, nd.EventID, seen)
		} else {
			fmt.Fprintln(h, out.Result, show(out.Delta), seen)
		}
	}
	for _, name := range []string{"queue", "signal"} {
		for _, o := range orders() {
			var notes []string
			s := newSim(t, o.run(&notes, families[name].open))
			s.stamp, s.unchecked = legacy, true
			for _, batch := range append([][]core.WorkItem{nil}, o.batches(families[name].arrive)...) {
				note(s.turn(batch...), notes)
				note(replay.Run(s.input()), notes)
			}
		}
	}
	if failures == 0 {
		t.Error("none of its faults is there: the test does not look")
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != legacyDecisions {
		t.Errorf("the decisions have the digest %s, want %s", got, legacyDecisions)
	}
}
