package validation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// A trial is one run of a case: what a case function works with. Like a test's
// T, it is told of failures and ends the case with Fatal ones; unlike it, it
// needs no package testing.
type trial struct {
	ctx context.Context //nolint:containedctx // the deadline of the case, as in testing.T
	h   Harness
	// number counts the tries of the case, from 1.
	number int
	// p is the provider under test, on a fresh store.
	p core.Provider

	mu      sync.Mutex
	opened  []core.Provider
	closers []func(context.Context)
	windows []*window
	result  outcome
}

// outcome is what a trial came to.
type outcome struct {
	failures []string
	skipped  string
	// notApplicable says why the case is not about this provider.
	notApplicable string
	// slow says which time was over when the first failure was found.
	slow          string
	name, version string
	seed          uint64 // 0 if nothing was random
}

// errorf records a failure and lets the case go on.
func (t *trial) errorf(format string, args ...any) {
	t.fail(place() + fmt.Sprintf(format, args...))
}

// fatalf records a failure and ends the goroutine.
func (t *trial) fatalf(format string, args ...any) {
	t.errorf(format, args...)
	runtime.Goexit()
}

// check ends the case if a call that must succeed has failed.
func (t *trial) check(what string, err error) {
	if err != nil {
		t.fatalf("%s: %v", what, err)
	}
}

// skip ends the case as one that cannot be run.
func (t *trial) skip(reason string) {
	t.mu.Lock()
	t.result.skipped = reason
	t.mu.Unlock()
	runtime.Goexit()
}

// leave ends the case as one that is not about this provider.
func (t *trial) leave(reason string) {
	t.mu.Lock()
	t.result.notApplicable = reason
	t.mu.Unlock()
	runtime.Goexit()
}

// giveUp ends the goroutine of a case that has failed already.
func (t *trial) giveUp() { runtime.Goexit() }

func (t *trial) fail(message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil && len(t.result.failures) == 0 {
		t.result.failures = append(t.result.failures, context.Cause(t.ctx).Error())
	}
	if len(t.result.failures) == 0 {
		t.result.slow = t.tooSlow()
	}
	t.result.failures = append(t.result.failures, message)
}

// failPanic records what a goroutine of the case has recovered from.
func (t *trial) failPanic(v any) {
	stack := make([]byte, 16<<10)
	t.fail(fmt.Sprintf("panic: %v\n%s", v, stack[:runtime.Stack(stack, false)]))
}

// tooSlow says which open window is over, empty if none is.
func (t *trial) tooSlow() (slow string) {
	for _, w := range t.windows {
		if over := time.Since(w.begin); !w.closed && over >= w.length {
			slow = fmt.Sprintf("the steps took %v where %s allowed %v", over.Round(time.Millisecond), w.what, w.length)
		}
	}
	return slow
}

func (t *trial) note(name, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.name, t.result.version = name, version
}

// ended reports whether the case has failed or was skipped.
func (t *trial) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.result.failures) > 0 || t.result.skipped != "" || t.result.notApplicable != ""
}

func (t *trial) outcome() outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.result
	o.failures = slices.Clone(o.failures)
	return o
}

// newProvider opens a provider on another fresh store.
func (t *trial) newProvider() core.Provider {
	p, err := t.h.NewProvider(t.ctx)
	return t.own(p, err)
}

// own takes over a provider that the harness opened: it is closed at the end.
func (t *trial) own(p core.Provider, err error) core.Provider {
	t.check("open a provider", err)
	if p == nil {
		t.fatalf("the harness returned no provider")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened = append(t.opened, p)
	return p
}

// withClock opens a provider on the store of p whose clock runs that far ahead.
func (t *trial) withClock(p core.Provider, d time.Duration) core.Provider {
	q, err := t.h.WithClockOffset(t.ctx, p, d)
	return t.own(q, err)
}

// release closes a provider before the case ends.
func (t *trial) release(p core.Provider) {
	t.mu.Lock()
	t.opened = slices.DeleteFunc(t.opened, func(o core.Provider) bool { return o == p })
	t.mu.Unlock()
	if t.h.Close != nil {
		t.check("close", t.h.Close(t.ctx, p))
	}
}

// cleanup has f called when the case has ended, the last one first.
func (t *trial) cleanup(f func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closers = append(t.closers, f)
}

// close ends what the case has opened.
func (t *trial) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.h.CaseTimeout)
	defer cancel()
	t.mu.Lock()
	opened, closers := t.opened, t.closers
	t.mu.Unlock()
	for _, f := range slices.Backward(closers) {
		f(ctx)
	}
	if t.h.Close == nil {
		return
	}
	var errs []error
	for _, p := range slices.Backward(opened) {
		errs = append(errs, t.h.Close(ctx, p))
	}
	if err := errors.Join(errs...); err != nil {
		t.fail("close: " + err.Error())
	}
}

// sleep waits.
func (t *trial) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
		t.fatalf("%v", context.Cause(t.ctx))
	}
}

// margin is how long after the end of a lease it must have ended for everybody.
const margin = 100 * time.Millisecond

// sleepPast waits until a lease of that length, taken before, has ended.
func (t *trial) sleepPast(lease time.Duration) { t.sleep(lease + margin) }

// A window is a time within which steps must be done for their check to mean
// something: the life of a lease, say. A failure while a window is open and over
// is not the provider's, and the case is tried again.
type window struct {
	t      *trial
	what   string
	begin  time.Time
	length time.Duration
	closed bool
}

// window opens one that begins now.
func (t *trial) window(what string, length time.Duration) *window {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &window{t: t, what: what, begin: time.Now(), length: length}
	t.windows = append(t.windows, w)
	return w
}

// close says that what follows does not depend on the window.
func (w *window) close() {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	w.closed = true
}

// place says where in the suite the case is: the lines of the case function and
// of what it calls, without the common helpers.
func place() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var lines []string
	for {
		frame, more := frames.Next()
		file := filepath.Base(frame.File)
		switch {
		case file == "case.go" || !strings.HasPrefix(frame.Function, thisPackage):
			more = false
		case file != "trial.go" && !strings.HasPrefix(file, "helpers"):
			lines = append(lines, fmt.Sprintf("%s:%d", file, frame.Line))
		}
		if !more {
			slices.Reverse(lines)
			return strings.Join(append(lines, ""), ": ")
		}
	}
}

// thisPackage starts the names of all functions of this package.
var thisPackage = reflect.TypeFor[Case]().PkgPath() + "."
