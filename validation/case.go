package validation

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// A Case is one rule of the contract and the check of it.
type Case struct {
	// Name is the name that the case has in the catalogue of the family.
	Name string
	// Category is the part of the suite that the case belongs to.
	Category string
	// Rule says what must hold.
	Rule string
	// Extra says that the case goes beyond the catalogue; see [Extra].
	Extra bool
	// Contract names the parts of the provider contract that the rule is from.
	Contract string

	polling polling
	needs   []need
	// optional says without which ability of the provider the case does not
	// apply; nil for none. It returns the reason.
	optional func(core.Provider) string
	run      func(*trial)
}

// polling says to which providers a case applies.
type polling int

const (
	anyPolling polling = iota
	shortPolling
	longPolling
)

// notApplicable says why the case is not for such a provider, empty if it is.
func (c Case) notApplicable(longPolls bool) string {
	switch {
	case c.polling == shortPolling && longPolls:
		return "the provider waits in a fetch"
	case c.polling == longPolling && !longPolls:
		return "the provider does not wait in a fetch"
	}
	return ""
}

// Check runs the case alone.
func (c Case) Check(ctx context.Context, h Harness) Result {
	h, err := h.withDefaults()
	if err != nil {
		return Result{Case: c, Outcome: Failed, Failures: []string{err.Error()}}
	}
	begin := time.Now()
	r := c.check(ctx, h)
	r.Elapsed = time.Since(begin)
	return r
}

// tries is how often a case is started before its failure counts although its
// steps were too slow.
const tries = 5

func (c Case) check(ctx context.Context, h Harness) Result {
	r := Result{Case: c}
	if r.Reason = c.notApplicable(h.LongPolls); r.Reason != "" {
		r.Outcome = NotApplicable
		return r
	}
	for r.Tries = 1; ; r.Tries++ {
		t := c.try(ctx, h, r.Tries)
		if t.slow != "" && r.Tries < tries && ctx.Err() == nil {
			continue
		}
		switch {
		case len(t.failures) > 0:
			r.Outcome, r.Failures = Failed, t.failures
			if t.slow != "" {
				r.Failures = append(r.Failures, fmt.Sprintf("in %d tries the time was too short: %s", r.Tries, t.slow))
			}
		case t.notApplicable != "":
			r.Outcome, r.Reason = NotApplicable, t.notApplicable
		case t.skipped != "" && h.RequireAll:
			r.Outcome, r.Failures = Failed, []string{"required, but would be skipped: " + t.skipped}
		case t.skipped != "":
			r.Outcome, r.Reason = Skipped, t.skipped
		default:
			r.Outcome = Passed
		}
		r.provider, r.version, r.Seed = t.name, t.version, t.seed
		return r
	}
}

// stuckAfter is how long after its deadline a case is given up.
const stuckAfter = 5 * time.Second

// try runs the case once, in a goroutine of its own so that a failure can end it.
func (c Case) try(ctx context.Context, h Harness, number int) outcome {
	timeout := h.CaseTimeout
	if c.Extra {
		timeout *= time.Duration(h.Scale)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the case took longer than %v", timeout))
	defer cancel()
	t := &trial{ctx: ctx, h: h, number: number}
	done := make(chan struct{})
	go func() {
		defer close(done)
		finished := false
		defer func() {
			if v := recover(); v != nil {
				t.failPanic(v)
			} else if !finished && !t.ended() {
				t.fail("the harness ended the case")
			}
		}()
		c.prepareAndRun(t)
		finished = true
	}()
	select {
	case <-done:
	case <-ctx.Done():
		timer := time.NewTimer(stuckAfter)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			stacks := make([]byte, 64<<10)
			t.fail(fmt.Sprintf("%v, and a call of the provider does not return although its context has ended\n%s",
				context.Cause(ctx), stacks[:runtime.Stack(stacks, true)]))
		}
	}
	t.close(context.WithoutCancel(ctx))
	return t.outcome()
}

func (c Case) prepareAndRun(t *trial) {
	t.p = t.newProvider()
	t.note(t.p.Name(), t.p.Version())
	if c.optional != nil {
		if reason := c.optional(t.p); reason != "" {
			t.leave(reason)
		}
	}
	for _, n := range c.needs {
		if reason := n.missing(&t.h, t.p); reason != "" {
			t.skip(reason)
		}
	}
	c.run(t)
}

// Cases returns the cases of the catalogue, in its order. For what goes beyond it
// see [Extra].
func Cases() []Case {
	return slices.Concat(
		atomicity,
		errorHandling,
		instanceCreation,
		instanceLocking,
		lockExpiration,
		multiExecution,
		queueSemantics,
		management,
		longPollingCases,
		poisonMessage,
		cancellation,
		deletion,
		prune,
		bulkDeletion,
		capabilityFiltering,
		sessions,
		tagFiltering,
		customStatus,
		kvStore,
		raceReplay,
	)
}

// inCategory gives each case its category.
func inCategory(name string, cases ...Case) []Case {
	for i := range cases {
		cases[i].Category = name
	}
	return cases
}
