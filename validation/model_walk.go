package validation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/duroxide/duroxide-go/core"
)

// A step is one operation of a history. It draws what it does from its seed and
// the state that it meets, so that a history is still one when some of its steps
// are left out.
type step struct {
	operation int
	seed      uint64
}

// A walk goes through a history with a provider and a model at its side.
type walk struct {
	*model
	t       *trial
	p       core.Provider
	clock   modelClock
	r       *rand.Rand // of the step
	prefix  string
	ticks   bool    // whether anything is short
	patient bool    // whether all owners claim for ages
	window  *window // the tick in which something is
	// lingered says that some time of the tick was let pass.
	lingered bool
	log      []string
}

// A mismatch ends a walk.
type mismatch string

// forAges is a time that does not end in a case.
const forAges = 10 * time.Hour

// far is a timer of the next century.
const far = 4_102_444_800_000

func newWalk(t *trial, p core.Provider, prefix string, ticks bool) *walk {
	return &walk{
		model: newModel(prefix+"a", prefix+"b", prefix+"c"),
		t:     t, p: p, clock: modelClock{store: p}, prefix: prefix, ticks: ticks,
	}
}

// run goes through the steps and then empties the queues. It returns where
// provider and model differ, empty if they do not.
func (w *walk) run(steps []step) (difference string) {
	defer func() {
		if v := recover(); v != nil {
			m, ok := v.(mismatch)
			if !ok {
				panic(v)
			}
			difference = string(m)
		}
	}()
	for _, s := range steps {
		w.r = rand.New(rand.NewPCG(s.seed, 0))
		operations[s.operation].run(w)
	}
	w.drain()
	return ""
}

// late reports whether the tick that the walk has ended in took so long that its
// leases have ended, in which case a difference says nothing.
func (w *walk) late() bool {
	return w.window != nil && time.Since(w.window.begin) >= w.window.length
}

// leave says that what follows does not depend on the tick.
func (w *walk) leave() {
	if w.window != nil {
		w.window.close()
		w.window = nil
	}
}

// say logs what a step does.
func (w *walk) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

// wrong ends the walk.
func (w *walk) wrong(format string, args ...any) {
	if w.t.ctx.Err() != nil {
		w.t.fatalf(format, args...)
	}
	panic(mismatch(fmt.Sprintf(format, args...)))
}

func (w *walk) must(err error) {
	if err != nil {
		w.wrong("error: %v", err)
	}
}

// wantErr ends the walk if a call did not fail for that cause.
func (w *walk) wantErr(err, cause error) {
	if !errors.Is(err, cause) || core.IsRetryable(err) {
		w.wrong("error: %v, want %v for good", err, cause)
	}
}

func same[T any](w *walk, what string, got, want T) {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.wrong("%s: got (+) differs from wanted (-)\n%s", what, diff)
	}
}

// lease draws how long something lasts, and the tick in which it has ended.
func (w *walk) lease() (time.Duration, int) {
	if w.ticks && w.r.IntN(2) == 0 {
		return w.shortly()
	}
	return forAges, never
}

// shortly is a time that ends with the tick.
func (w *walk) shortly() (time.Duration, int) {
	d := w.short()
	if w.window == nil {
		w.window, w.lingered = w.t.window("the leases of one tick", w.realTime()), false
	}
	return d, w.tick + 1
}

// delay draws how long something is hidden, and the tick in which it is not.
func (w *walk) delay() (time.Duration, int) {
	switch {
	case w.r.IntN(3) > 0:
		return 0, 0
	case w.ticks && w.r.IntN(2) == 0:
		return w.shortly()
	}
	return forAges, never
}

// instance draws an instance.
func (w *walk) instance() *modelInstance { return w.instances[w.ids[w.r.IntN(len(w.ids))]] }

// token draws one that was handed out, the last ones more often; empty if there
// is none.
func (w *walk) token(tokens []string) string {
	n := len(tokens)
	if n == 0 {
		return ""
	}
	if w.r.IntN(4) > 0 {
		return tokens[max(0, n-1-w.r.IntN(3))]
	}
	return tokens[w.r.IntN(n)]
}

// message draws a message for an instance. One that does not exist yet gets its
// start first: what becomes of other messages then is open.
func (w *walk) message(i *modelInstance) core.WorkItem {
	if !i.created && len(i.messages) == 0 {
		return start(i.id)
	}
	n := w.number()
	switch w.r.IntN(4) {
	case 0:
		return completed(i.id, n)
	case 1:
		return queued(i.id, fmt.Sprint(n))
	case 2:
		return core.CancelInstanceItem{Instance: i.id, Reason: fmt.Sprint(n)}
	}
	return raised(i.id, fmt.Sprint(n))
}

// activity draws an activity.
func (w *walk) activity(i *modelInstance) core.ActivityExecuteItem {
	item := activity(i.id, w.number())
	if w.r.IntN(3) == 0 {
		item.Tag = ptr([]string{"x", "y", ""}[w.r.IntN(3)])
	}
	if w.r.IntN(3) == 0 {
		item.SessionID = ptr(w.prefix + []string{"s", "t"}[w.r.IntN(2)])
	}
	return item
}

// pins are the versions that executions are pinned to.
var pins = []core.Version{{Major: 1}, {Major: 1, Minor: 5}, {Major: 2}}

func (w *walk) filter() *core.CapabilityFilter {
	switch w.r.IntN(6) {
	case 0:
		return &core.CapabilityFilter{}
	case 1, 2:
		v := pins[w.r.IntN(len(pins))]
		return &core.CapabilityFilter{SupportedVersions: []core.VersionRange{{Min: v, Max: pins[len(pins)-1]}, {Max: v}}}
	}
	return nil
}

func (w *walk) tags() core.TagFilter {
	switch w.r.IntN(6) {
	case 0:
		return core.TagFilter{}
	case 1:
		return core.TagFilter{Mode: core.TagsNone}
	case 2:
		return tags("x", "")
	case 3:
		return core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"y"}}
	}
	return core.TagFilter{Mode: core.TagsAny}
}
