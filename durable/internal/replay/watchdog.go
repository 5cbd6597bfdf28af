package replay

import (
	"runtime"
	"strings"
	"time"
)

// watch waits for the code of the turn to be done. It cannot be ended from
// outside, so one that takes long is only reported, with the stacks of the code
// that is running or blocked; nothing is done to it, because a busy machine looks
// the same.
func (t *turn) watch(done <-chan struct{}) {
	if t.in.SlowAfter <= 0 {
		<-done
		return
	}
	began := time.Now()
	timer := time.NewTimer(t.in.SlowAfter)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	log := t.in.Logger.With("instance_id", t.in.Instance, "execution_id", t.in.Execution, "orchestration_name", t.rec.started.Name)
	log.Warn("orchestration code runs for long without waiting for anything durable: does it block on a channel, a lock or I/O?",
		"running_for", t.in.SlowAfter, "stack", busyStacks())
	<-done
	log.Warn("orchestration code that ran for long goes on", "ran_for", time.Since(began))
}

// busyStacks returns the stacks of all orchestration code that does not wait
// for something durable.
func busyStacks() string {
	// All executions that are kept suspended are in the dump too.
	dump := make([]byte, 1<<20)
	n := runtime.Stack(dump, true)
	for n == len(dump) && n < maxDump {
		dump = make([]byte, 4*len(dump))
		n = runtime.Stack(dump, true)
	}
	dump = dump[:n]
	var busy []string
	for stack := range strings.SplitSeq(string(dump), "\n\n") {
		head, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(stack, coroutineFrame) && !strings.Contains(head, "[coroutine") {
			busy = append(busy, stack)
		}
	}
	return strings.Join(busy, "\n\n")
}

// maxDump bounds the dump: some 2 kB for each goroutine of the process.
const maxDump = 256 << 20

// coroutineFrame is in the stack of all orchestration code.
const coroutineFrame = module + "/internal/replay.(*execution).spawn."
