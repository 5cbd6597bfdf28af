package replay

import (
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Handler is the code of an orchestration.
type Handler func(c *Context, input string) (string, error)

// Input is everything that a turn depends on.
type Input struct {
	Instance  string
	Execution uint64
	// History is what is stored of the execution; empty for a new one.
	History []core.Event
	// Start makes the first event of a new execution; nil otherwise.
	Start *core.OrchestrationStarted
	// Messages are the batch without starts, in order.
	Messages []core.WorkItem
	// KV is the key-value state that earlier executions left.
	KV      map[string]core.KVEntry
	Handler Handler
	// Now is the wall clock for new events and timers.
	Now func() time.Time
	// Stamp is the runtime version that new events carry.
	Stamp string
	// StrictInputs makes an input or value that differs from the recorded one
	// nondeterminism instead of a warning.
	StrictInputs bool
	// StrictReplay makes it nondeterminism when the code returns although
	// history records that it asked for more.
	StrictReplay bool
	// SlowAfter is how long the code may run without waiting before a warning
	// with its stack is logged; 0 for never.
	SlowAfter time.Duration
	// ParentExecution finds the execution of a parent whose link, written by
	// an old runtime, lacks it. Only called in that case.
	ParentExecution func(parent string) uint64
	Logger          *slog.Logger
	// Sites asks for Output.Sites, which costs a look at the stack for each
	// action.
	Sites bool
	// Summarise asks for Output.Summary.
	Summarise bool
}

// Result says how a turn ended.
type Result int

// The results of a turn.
const (
	Continue Result = iota
	Completed
	Failed
	ContinuedAsNew
	Cancelled
)

// Output is what a turn produced, ready to be acknowledged.
type Output struct {
	Result            Result
	Delta             []core.Event
	WorkerItems       []core.WorkItem
	OrchestratorItems []core.WorkItem
	Metadata          core.ExecutionMetadata
	// CancelledActivities are to be removed from the worker queue.
	CancelledActivities []core.ActivityIdentifier
	// Failure is set when Result is Failed or Cancelled.
	Failure core.ErrorDetails
	// Nondeterminism is set when code and history disagree. The rest of the
	// output fails the execution; a caller may park the instance instead.
	Nondeterminism *NondeterminismError
	// PanicStack is the stack of the user code that panicked, if it did.
	PanicStack string
	// Sites are where user code asked for what the events of Delta record, by
	// event id, if Input.Sites is set.
	Sites map[uint64]string
	// Summary is set if Input.Summarise is.
	Summary *Summary
}

// NondeterminismError says where code and history disagree.
type NondeterminismError struct {
	// EventID is the recorded event that does not fit; 0 when it is not one.
	EventID uint64
	Message string
	// Site is where user code asked for something else, or waits, if Input.Sites
	// is set.
	Site string
}

func (e *NondeterminismError) Error() string {
	var where []string
	if e.EventID != 0 {
		where = append(where, fmt.Sprintf("event %d", e.EventID))
	}
	if e.Site != "" {
		dir, file := path.Split(e.Site) // stored text need not tell where the code was built
		where = append(where, "at "+path.Join(path.Base(dir), file))
	}
	if len(where) == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, strings.Join(where, ", "))
}

func (e *NondeterminismError) details() core.ErrorDetails {
	return core.ConfigurationError{Kind: core.Nondeterminism, Message: new(e.Error())}
}

// turn is the state of one turn. The record and the execution, which holds what
// the user code sees, go over to the next one if the code stays suspended.
type turn struct {
	in     Input
	rec    *record
	delta  []core.Event
	nextID uint64
	// abort fails the turn before any user code runs.
	abort core.ErrorDetails
	x     *execution
	// pending are the converted actions with their event ids, in order.
	pending []boundAction
	// polls counts those after the walk.
	polls int
}

// Run runs one turn. User code runs on coroutines that Run tears down before
// it returns, whatever the code does.
func Run(in Input) Output {
	t := newTurn(withLogger(in))
	defer t.tearDown()
	return t.run()
}

func withLogger(in Input) Input {
	if in.Logger == nil {
		in.Logger = slog.New(slog.DiscardHandler)
	}
	return in
}

// newTurn begins the turn of an execution of which there is only the history.
func newTurn(in Input) *turn {
	t := &turn{in: in, nextID: core.FirstEventID, rec: newRecord(in.History, in.KV)}
	if n := len(in.History); n > 0 {
		t.nextID = in.History[n-1].ID + 1
	}
	if in.Start != nil {
		t.push(nil, *in.Start)
	}
	return t
}

// run runs the turn and leaves the code suspended.
func (t *turn) run() Output {
	t.prepare()
	out, done := t.guard()
	if !done {
		out = t.finalise(t.runCode())
		if t.in.Sites {
			out.Sites = make(map[uint64]string, len(t.pending))
			for _, a := range t.pending {
				out.Sites[a.id] = a.site
			}
		}
	}
	if t.in.Summarise {
		out.Summary = t.rec.summary(out.Delta)
	}
	return out
}

// tearDown unwinds what is suspended.
func (t *turn) tearDown() {
	if t.x != nil {
		t.x.tearDown()
	}
}

// guard handles the turns that run no code (1.3).
func (t *turn) guard() (Output, bool) {
	switch {
	case t.abort != nil:
		return t.fail(t.abort), true
	case t.rec.terminal:
		return Output{Result: Continue, Delta: t.delta}, true
	case t.rec.problem != "":
		return t.fail(core.ConfigurationError{Kind: core.Nondeterminism, Message: new(t.rec.problem)}), true
	}
	return Output{}, false
}

// codeFailure is why the user code could not be run to a standstill.
type codeFailure struct {
	details        core.ErrorDetails
	nondeterminism *NondeterminismError
	stack          string
}

// runCode walks, converts and quiesces on a goroutine of its own, because user
// code that calls runtime.Goexit ends the goroutine that resumed it.
func (t *turn) runCode() *codeFailure {
	if t.x == nil {
		t.x = newExecution(t)
	}
	var failure *codeFailure
	finished := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		failure = t.walkAndConvert()
		finished = true
	}()
	t.watch(done)
	if !finished {
		failure = &codeFailure{details: core.ApplicationError{
			Kind: core.KindPanicked, Message: "orchestration code called runtime.Goexit",
		}}
	}
	return failure
}

func (t *turn) walkAndConvert() *codeFailure {
	if f := t.walk(); f != nil {
		return f
	}
	if f := t.convert(); f != nil {
		return f
	}
	return t.quiesce()
}

// push appends an event with the next id.
func (t *turn) push(source *uint64, data core.EventData) core.Event {
	ev := core.Event{
		ID:              t.nextID,
		SourceID:        source,
		InstanceID:      t.in.Instance,
		ExecutionID:     t.in.Execution,
		TimestampMs:     core.Milliseconds(t.in.Now()),
		DuroxideVersion: t.in.Stamp,
		Data:            data,
	}
	t.nextID++
	t.delta = append(t.delta, ev)
	t.rec.add(ev)
	return ev
}

// events iterates over stored history and delta.
func (t *turn) events(yield func(core.Event) bool) {
	for _, ev := range t.in.History {
		if !yield(ev) {
			return
		}
	}
	for _, ev := range t.delta {
		if !yield(ev) {
			return
		}
	}
}
