package replay

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// coroutine is the orchestration function or one of its concurrent blocks. It
// runs only while the engine resumes it.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	// ready says whether what it waits for has come.
	ready func() bool
	// futures are those that it scheduled; they are dropped when it ends. Some
	// may have been observed or dropped since.
	futures []*Future
	// blocks are the coroutines that it started; they end with it.
	blocks   []*coroutine
	finished bool
	// running is set while its code runs, ending while it is being unwound.
	running, ending bool
	panicked        any
	stack           string
	// waitsAt is where user code waits, if sites are asked for.
	waitsAt string
}

func (x *execution) spawn(body func(c *Context)) *coroutine {
	co := &coroutine{ready: func() bool { return true }}
	c := &Context{x: x, co: co}
	co.next, co.stop = iter.Pull(func(yield func(struct{}) bool) {
		co.yield = yield
		defer func() {
			if r := recover(); r != nil {
				co.panicked, co.stack = r, string(debug.Stack())
			}
		}()
		body(c)
	})
	x.coroutines = append(x.coroutines, co)
	return co
}

// keep adds a future. To make room it forgets those that cannot be dropped any
// more, so that a loop holds no more than it waits for.
func (co *coroutine) keep(f *Future) {
	if len(co.futures) == cap(co.futures) {
		co.futures = slices.DeleteFunc(co.futures, func(f *Future) bool { return f.observed || f.dropped })
		co.futures = slices.Grow(co.futures, len(co.futures)+1)
	}
	co.futures = append(co.futures, f)
}

// block suspends the coroutine until ready returns true. A coroutine that is
// torn down while suspended unwinds by Goexit: deferred functions run, and no
// recover in user code can keep it alive.
func (co *coroutine) block(ready func() bool) {
	if ready() {
		return
	}
	co.ready = ready
	if !co.yield(struct{}{}) {
		runtime.Goexit()
	}
}

// poll resumes, in creation order, every coroutine whose wait is over, until
// nothing moves or the orchestration function has ended.
func (x *execution) poll() *codeFailure {
	x.mustPoll = false
	for progress := true; progress && !x.root.finished; {
		progress = false
		for i := 0; i < len(x.coroutines) && !x.root.finished; i++ {
			co := x.coroutines[i]
			if co.finished || !co.ready() {
				continue
			}
			progress = true
			if f := x.resume(co); f != nil {
				return f
			}
		}
	}
	x.coroutines = slices.DeleteFunc(x.coroutines, func(co *coroutine) bool { return co.finished })
	return nil
}

func (x *execution) resume(co *coroutine) *codeFailure {
	outer := x.current
	x.current = co
	co.running = true
	_, suspended := co.next()
	co.running = false
	x.current = outer
	if suspended {
		if co.finished { // it was killed while it ran, so it ends here
			x.unwind(co)
			x.giveUp(co)
		}
		return nil
	}
	co.finished = true
	if co.panicked != nil {
		return &codeFailure{details: panicDetails(co.panicked), stack: co.stack}
	}
	// A continue-as-new suspends the family's code for ever rather than
	// ending it, so it drops nothing.
	if co == x.root && x.next != nil {
		return nil
	}
	x.giveUp(co)
	return nil
}

// giveUp drops what a coroutine scheduled and ends the blocks that it started.
func (x *execution) giveUp(co *coroutine) {
	for _, f := range co.futures {
		f.Drop()
	}
	for _, b := range co.blocks {
		x.kill(b)
	}
}

// kill ends a block that lost a race. One that is running, because it or a
// block within it asked for its own end, goes on until it next waits.
func (x *execution) kill(co *coroutine) {
	if co.finished || x.over {
		return
	}
	co.finished = true
	if !co.running {
		x.unwind(co)
	}
	x.giveUp(co)
}

// tearDown unwinds what is still suspended at the end of the turn. That is not
// a drop, even if a deferred function cancels a future.
func (x *execution) tearDown() {
	x.current, x.over = nil, true
	for _, co := range x.coroutines {
		if !co.finished {
			co.finished = true
			x.unwind(co)
		}
	}
}

// unwind ends a suspended coroutine. It needs a goroutine of its own because
// the Goexit that unwinds the coroutine goes on in whoever stops it.
func (x *execution) unwind(co *coroutine) {
	outer := x.current
	x.current, co.ending = nil, true // deferred functions cannot use the context
	done := make(chan struct{})
	go func() {
		defer close(done)
		co.stop()
	}()
	<-done
	x.current = outer
}

// panicDetails is the stored form of a panic in orchestration code.
func panicDetails(r any) core.ErrorDetails {
	text := fmt.Sprint(r) // survives an Error method that panics too
	return core.ApplicationError{Kind: core.KindPanicked, Message: Storable(text)}
}

// Storable returns text that comes from user code with what no store can keep,
// invalid UTF-8 and NUL, replaced by the replacement character.
func Storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
