package replay

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Context is what orchestration code calls the engine through. It belongs to
// one coroutine and panics when used from anywhere else.
type Context struct {
	x  *execution
	co *coroutine
}

func (c *Context) check() {
	switch {
	case c.x.current == c.co:
	case c.co.ending:
		// A deferred function of code that is being unwound. A panic could be
		// recovered, and the call tried again for ever.
		runtime.Goexit()
	default:
		panic("durable: orchestration context used outside its function or block")
	}
}

func (c *Context) schedule(kind scheduleKind, a action) *Future {
	f := c.scheduleOwnerless(kind, a)
	c.co.keep(f)
	return f
}

// scheduleOwnerless makes a future that is not given up when its coroutine ends.
func (c *Context) scheduleOwnerless(kind scheduleKind, a action) *Future {
	c.check()
	c.x.scheduled++
	a.future = &Future{x: c.x, kind: kind, seq: c.x.scheduled}
	c.x.emit(a)
	return a.future
}

// Refuse returns a future that is born with an error and schedules nothing.
func (c *Context) Refuse(err error) *Future {
	c.check()
	return &Future{x: c.x, refused: err, done: true}
}

// Activity schedules an activity. Session and tag may be nil.
func (c *Context) Activity(name, input string, session, tag *string) *Future {
	return c.schedule(activitySchedule, action{data: core.ActivityScheduled{Name: name, Input: input, SessionID: session, Tag: tag}})
}

// ActivityAgain schedules an activity as a later attempt of the one whose event has
// the id first.
func (c *Context) ActivityAgain(first uint64, name, input string, session, tag *string) *Future {
	return c.schedule(activitySchedule, action{
		data:         core.ActivityScheduled{Name: name, Input: input, SessionID: session, Tag: tag},
		firstAttempt: &first,
	})
}

// Timer schedules a timer. A negative d counts as zero.
func (c *Context) Timer(d time.Duration) *Future {
	fireAt := core.Milliseconds(c.x.t.in.Now()) + uint64(max(d, 0).Milliseconds())
	return c.schedule(timerSchedule, action{data: core.TimerCreated{FireAtMs: fireAt}})
}

// Wait subscribes to the next external event of that name.
func (c *Context) Wait(name string) *Future {
	return c.schedule(waitSchedule, action{data: core.ExternalSubscribed{Name: name}})
}

// Dequeue subscribes to the next unread message of that queue.
func (c *Context) Dequeue(queue string) *Future {
	return c.schedule(queueSchedule, action{data: core.QueueSubscribed{Name: queue}})
}

// CancelRequested subscribes to the queue of requests to cancel, once for the
// whole execution, and again if the first future was given up.
func (c *Context) CancelRequested() *Future {
	c.check()
	if f := c.x.cancelRequested; f == nil || f.dropped {
		c.x.cancelRequested = c.scheduleOwnerless(queueSchedule, action{data: core.QueueSubscribed{Name: CancelQueue}})
	}
	return c.x.cancelRequested
}

// CancelQueue is the queue that takes requests to cancel.
const CancelQueue = "dxgo::cancel_requested"

// Child schedules a sub-orchestration. An empty id lets the engine make one;
// an explicit one may not look as if it had.
func (c *Context) Child(name, id, input string, version *string) *Future {
	if core.IsAutoChildID(id) {
		return c.Refuse(fmt.Errorf("sub-orchestration instance id '%s' starts with the reserved marker 'sub::', which the runtime uses to mark auto-generated child ids; use an id that does not begin with it", id))
	}
	return c.schedule(childSchedule, action{data: core.SubOrchestrationScheduled{Name: name, Instance: id, Input: input}, version: version})
}

// Detached starts an orchestration that nobody waits for. A reserved id
// panics, which fails the execution.
func (c *Context) Detached(name, id, input string, version *string) {
	c.check()
	if core.IsReservedRootID(id) {
		panic(fmt.Sprintf("instance id '%s' uses the reserved sub-orchestration marker 'sub::'", id))
	}
	c.x.emit(action{data: core.OrchestrationChained{Name: name, Instance: id, Input: input}, version: version})
}

// SetStatus sets the custom status; nil clears it.
func (c *Context) SetStatus(s *string) {
	c.check()
	c.x.status = s
	c.x.emit(action{data: core.CustomStatusUpdated{Status: s}})
}

// Status returns the custom status, nil for none.
func (c *Context) Status() *string {
	c.check()
	return c.x.status
}

// KVSet sets a key.
func (c *Context) KVSet(key, value string) {
	c.check()
	c.x.setters++
	// Until the event is there the key is as old as what the code has seen, so
	// that pruning decides alike in every turn.
	c.x.kv[key] = kvEntry{value: value, ms: core.Milliseconds(c.x.now), setter: c.x.setters}
	set := core.KeyValueSet{Key: key, Value: value, LastUpdatedAtMs: core.Milliseconds(c.x.t.in.Now())}
	c.x.emit(action{data: set, setter: c.x.setters})
}

// KVGet returns the value of a key and whether there is one.
func (c *Context) KVGet(key string) (string, bool) {
	c.check()
	e, ok := c.x.kv[key]
	return e.value, ok
}

// KVKeys returns the keys in order.
func (c *Context) KVKeys() []string {
	c.check()
	return slices.Sorted(maps.Keys(c.x.kv))
}

// KVClear removes a key.
func (c *Context) KVClear(key string) {
	c.check()
	delete(c.x.kv, key)
	c.x.emit(action{data: core.KeyValueCleared{Key: key}})
}

// KVClearAll removes all keys.
func (c *Context) KVClearAll() {
	c.check()
	clear(c.x.kv)
	c.x.emit(action{data: core.KeyValuesCleared{}})
}

// KVPrune removes the keys that were set before the cutoff, epoch
// milliseconds, and returns how many.
func (c *Context) KVPrune(beforeMs uint64) int {
	n := 0
	for _, k := range c.KVKeys() {
		if c.x.kv[k].ms < beforeMs {
			c.KVClear(k)
			n++
		}
	}
	return n
}

// Block suspends until ready returns true; ready must have no effect but on
// what the caller owns.
func (c *Context) Block(ready func() bool) {
	c.check()
	if c.x.t.in.Sites {
		c.co.waitsAt = callSite()
	}
	c.co.block(ready)
}

// Block is a concurrent part of an orchestration.
type Block struct {
	x  *execution
	co *coroutine
}

// Go starts a concurrent block, which first runs when the caller next waits.
func (c *Context) Go(body func(*Context)) *Block {
	c.check()
	co := c.x.spawn(body)
	c.co.blocks = append(c.co.blocks, co)
	return &Block{x: c.x, co: co}
}

// Kill ends a block: what it scheduled is dropped.
func (b *Block) Kill() { b.x.kill(b.co) }

// Now returns the time of the last event that the code has seen.
func (c *Context) Now() time.Time {
	c.check()
	return c.x.now
}

// Replaying reports whether the code repeats what history records. It needs no
// check: log handlers ask from wherever they run.
func (c *Context) Replaying() bool { return c.x.replaying }

// LogHandler returns the handler behind the execution's logs.
func (c *Context) LogHandler() slog.Handler { return c.x.t.in.Logger.Handler() }

// Instance returns the instance id.
func (c *Context) Instance() string { return c.x.t.in.Instance }

// Execution returns the execution id.
func (c *Context) Execution() uint64 { return c.x.t.in.Execution }

// Name returns the orchestration's name.
func (c *Context) Name() string { return c.x.t.rec.started.Name }

// Version returns the orchestration's version.
func (c *Context) Version() string { return c.x.t.rec.started.Version }

// ParentInstance returns the parent's instance id, nil for a root.
func (c *Context) ParentInstance() *string { return c.x.t.rec.started.ParentInstance }
