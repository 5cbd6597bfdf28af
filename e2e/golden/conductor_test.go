package golden_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// conductor is a provider on which things happen in the order of a recording,
// whatever takes how long: it hands out one turn when the test says so, and
// takes the outcome of an activity when the test says so. What it stores and
// hands out is the business of the provider below. Outcomes still held back at
// the end are those of cancelled activities, and must be refused.
type conductor struct {
	core.Provider
	t       *testing.T
	turns   chan *core.OrchestrationItem
	answers chan answer
	end     chan struct{} // closed when nothing is held back any more

	mu    sync.Mutex
	open  bool // a turn may be fetched
	gates map[string]*gate
}

// gate holds back the outcome of an activity.
type gate struct{ opened, passed chan struct{} }

func newConductor(t *testing.T, p core.Provider) *conductor {
	return &conductor{
		Provider: p, t: t, turns: make(chan *core.OrchestrationItem, 1), answers: make(chan answer, 1),
		end: make(chan struct{}), gates: map[string]*gate{},
	}
}

// next lets one turn be fetched.
func (c *conductor) next() { c.setOpen(true) }

// setOpen returns what was before.
func (c *conductor) setOpen(open bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.open
	c.open = open
	return before
}

func (c *conductor) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	if !c.setOpen(false) {
		return nil, nil
	}
	item, err := c.Provider.FetchOrchestrationItem(ctx, p)
	if item == nil {
		c.setOpen(true)
		return nil, err
	}
	seen := *item // the runtime may change its own
	c.turns <- &seen
	return item, nil
}

// TracksTurns hands this ability on, so that turns are taken on suspended code.
func (c *conductor) TracksTurns() bool {
	tracker, ok := core.Ability[core.TurnTracker](c.Provider)
	return ok && tracker.TracksTurns()
}

func (c *conductor) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	err := c.Provider.AckOrchestrationItem(ctx, p)
	if err == nil {
		c.answers <- answer{Ack: &p}
	}
	return err
}

func (c *conductor) AbandonOrchestrationItem(ctx context.Context, p core.AbandonParams) error {
	err := c.Provider.AbandonOrchestrationItem(ctx, p)
	if err == nil {
		c.answers <- answer{Abandon: &p}
	}
	return err
}

func (c *conductor) gate(outcome core.WorkItem) *gate {
	var key string
	switch d := outcome.(type) {
	case core.ActivityCompletedItem:
		key = fmt.Sprint(d.Instance, "#", d.ExecutionID, "#", d.ID)
	case core.ActivityFailedItem:
		key = fmt.Sprint(d.Instance, "#", d.ExecutionID, "#", d.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gates[key] == nil {
		c.gates[key] = &gate{make(chan struct{}), make(chan struct{})}
	}
	return c.gates[key]
}

func (c *conductor) AckWorkItem(ctx context.Context, p core.AckWorkItemParams) error {
	g := c.gate(p.Completion)
	select {
	case <-g.opened:
	case <-c.end:
		err := c.Provider.AckWorkItem(ctx, p)
		if !errors.Is(err, core.ErrLockLost) {
			c.t.Errorf("an outcome that the recording has not, %+v, is answered with %v", p.Completion, err)
		}
		return err
	}
	err := c.Provider.AckWorkItem(ctx, p)
	if err == nil {
		close(g.passed)
	}
	return err
}

// clock is an offset of the machine's clock that grows.
type clock struct {
	core.Clock
	ahead atomic.Int64 // nanoseconds
}

func newClock() *clock { return &clock{Clock: core.SystemClock()} }

func (c *clock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(max(d, 0))) }
