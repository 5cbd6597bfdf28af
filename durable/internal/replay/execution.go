package replay

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// immediateRaces is the first runtime version under which a dropped wait
// leaves the matching at once (1.11).
var immediateRaces = core.MustParseVersion("0.1.31")

// execution is the state that the user code of one execution sees and makes.
type execution struct {
	t          *turn
	root       *coroutine
	coroutines []*coroutine
	// current is the coroutine that runs now; nil while none does.
	current *coroutine

	// fifo are the emitted actions that history has not matched yet.
	fifo []action
	// scheduled numbers the futures, dropped are those that were given up and
	// whose row is not stored yet.
	scheduled uint64
	dropped   []*Future
	// open are the schedules that wait for a completion.
	open map[uint64]*Future

	// legacy selects the race policy of executions begun before 0.1.31.
	legacy bool
	waits  map[string]*mailbox
	queues map[string]*mailbox
	subs   map[uint64]*subscription
	// queueArrivals are the queued messages of all names in arrival order.
	queueArrivals []*arrival

	// cancelRequested waits for a request to cancel, nil if the code never asked.
	cancelRequested *Future

	status *string
	kv     map[string]kvEntry
	// setters numbers the calls that set a key.
	setters uint64

	replaying bool
	mustPoll  bool
	// over is set when the turn is: what unwinding code does has no effect.
	over bool
	// now is the time of the last event that was delivered to the code.
	now time.Time

	// The outcome of the orchestration function. Next is set instead of
	// returned when it asked to continue as new.
	returned bool
	output   string
	failure  core.ErrorDetails
	next     *ContinueAsNew
}

// kvEntry is a key's value with the time it was set. The setter is the
// number of the call that set it in this execution, 0 for an earlier one.
type kvEntry struct {
	value  string
	ms     uint64
	setter uint64
}

func newExecution(t *turn) *execution {
	x := &execution{
		t:         t,
		open:      map[uint64]*Future{},
		waits:     map[string]*mailbox{},
		queues:    map[string]*mailbox{},
		subs:      map[uint64]*subscription{},
		status:    t.rec.started.InitialCustomStatus,
		kv:        make(map[string]kvEntry, len(t.in.KV)),
		replaying: len(t.in.History) > 0,
		mustPoll:  true,
		legacy:    isLegacy(t),
	}
	for k, e := range t.in.KV {
		x.kv[k] = kvEntry{value: e.Value, ms: e.LastUpdatedAtMs}
	}
	handler, input := t.in.Handler, t.rec.started.Input
	x.root = x.spawn(func(c *Context) {
		in := input
		input = "" // a suspended execution need not hold it
		out, err := handler(c, in)
		if next, ok := asContinueAsNew(err); ok {
			x.next = next
			x.emit(action{next: next})
			return
		}
		if err != nil { // its Error method is user code: it runs here
			x.failure = core.ApplicationError{
				Kind: core.KindOrchestrationFailed, Message: Storable(err.Error()),
			}
		}
		x.returned, x.output = true, out
	})
	for ev := range t.events { // the first poll comes before the first event
		x.delivered(ev)
		break
	}
	return x
}

// isLegacy picks the race policy by the stamp of the execution's first event.
func isLegacy(t *turn) bool {
	for ev := range t.events {
		v, err := core.ParseVersion(ev.DuroxideVersion)
		if err != nil {
			t.in.Logger.Warn("unreadable version stamp: the legacy race policy applies",
				"instance_id", t.in.Instance, "stamp", ev.DuroxideVersion)
			return true
		}
		return v.Compare(immediateRaces) < 0
	}
	return false
}

func (x *execution) emit(a action) {
	if x.t.in.Sites {
		a.site = callSite()
	}
	x.fifo = append(x.fifo, a)
}

// delivered moves the code's clock to the time of an event that it can see.
func (x *execution) delivered(ev core.Event) {
	if t := time.UnixMilli(int64(min(ev.TimestampMs, 1<<62))).UTC(); t.After(x.now) {
		x.now = t
	}
}
