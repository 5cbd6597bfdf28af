package durable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// ConflictPolicy says what a start does when the instance id is taken.
type ConflictPolicy int

const (
	// UseExisting lets the start return the run that is there; the default.
	UseExisting ConflictPolicy = iota
	// FailIfExists makes the start return [ErrInstanceExists]. An instance
	// whose own start is still queued is not seen; of two such starts at the
	// same time one is ignored.
	FailIfExists
)

// ReusePolicy says whether a start may take the id of an instance that has ended.
type ReusePolicy int

const (
	// ReuseNever treats an instance that has ended like one that runs; the
	// default.
	ReuseNever ReusePolicy = iota
	// ReuseFailed lets the start replace an instance that failed or was
	// cancelled.
	ReuseFailed
	// ReuseEnded lets the start replace an instance that ended in any way.
	ReuseEnded
)

// StartOption changes one start.
type StartOption func(*startConfig)

type startConfig struct {
	conflict  ConflictPolicy
	reuse     ReusePolicy
	requestID string
	delay     func(now time.Time) time.Duration // nil for none
	inTx      bool
}

// OnConflict sets what happens when the instance id is taken.
func OnConflict(p ConflictPolicy) StartOption {
	return func(c *startConfig) { c.conflict = p }
}

// Reuse sets whether the start may take the id of an instance that has ended. Then
// that one is deleted first, with its history and its children; the provider must
// be able to ([core.AdminDeleter]), else the start returns [ErrNotSupported].
func Reuse(p ReusePolicy) StartOption {
	return func(c *startConfig) { c.reuse = p }
}

// RequestID makes a start repeatable: a start that finds an instance which the
// same request started succeeds, whatever the policies say, and changes nothing. So
// a caller that does not know whether its start arrived can send it again. It does
// not find a start of its own that is still queued, which is harmless: one of the
// two is ignored.
func RequestID(id string) StartOption {
	return func(c *startConfig) { c.requestID = id }
}

// StartAfter delays the start. The instance does not exist until then: it has no
// status and cannot be found, but what is sent to it meanwhile waits for it (on
// the providers of this repository; those of other members of the family lose
// it). A negative delay counts as none.
func StartAfter(d time.Duration) StartOption {
	return func(c *startConfig) { c.delay = func(time.Time) time.Duration { return d } }
}

// StartAt delays the start until a time, by the client's clock; see [StartAfter].
func StartAt(t time.Time) StartOption {
	return func(c *startConfig) { c.delay = t.Sub }
}

// Start starts an instance of the named orchestration with an input that is
// already encoded. Prefer [Orchestration.Start], which knows the types.
//
// The id identifies the instance: a second start of the same id starts no second
// run, unless the first has ended and [Reuse] says so (see also [OnConflict] and
// [RequestID]). It must not be empty, begin with "sub::" or contain "::sub::";
// otherwise Start returns [ErrInvalidInput].
func (c *Client) Start(ctx context.Context, name, id, input string, opts ...StartOption) error {
	return c.start(ctx, c.send, name, nil, id, input, opts)
}

func (c *Client) start(ctx context.Context, send sender, name string, version *string, id, input string, opts []StartOption) error {
	var cfg startConfig
	for _, f := range opts {
		f(&cfg)
	}
	if err := cfg.check(id, version); err != nil {
		return err
	}
	if cfg.looksFirst() {
		if there, err := c.existing(ctx, id, cfg); err != nil || there {
			return err
		}
	}
	p := now(core.StartOrchestrationItem{
		Instance: id, Orchestration: name, Input: input, Version: version, ExecutionID: core.FirstExecutionID,
		RequestID: optional(cfg.requestID),
	})
	if cfg.delay != nil {
		p.Delay = max(cfg.delay(c.clock.Now()), 0)
	}
	if err := send(ctx, "start", id, p); err != nil {
		return err
	}
	if f := c.observer.Started; f != nil {
		f(ctx, ClientStarted{InstanceID: id, Name: name})
	}
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (cfg startConfig) check(id string, version *string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: the instance id is empty", ErrInvalidInput)
	case core.IsReservedRootID(id):
		return fmt.Errorf("%w: instance id '%s' uses the reserved sub-orchestration marker 'sub::'", ErrInvalidInput, id)
	case cfg.conflict != UseExisting && cfg.conflict != FailIfExists:
		return fmt.Errorf("%w: OnConflict must be UseExisting or FailIfExists, not %d", ErrInvalidInput, cfg.conflict)
	case cfg.reuse < ReuseNever || cfg.reuse > ReuseEnded:
		return fmt.Errorf("%w: Reuse must be ReuseNever, ReuseFailed or ReuseEnded, not %d", ErrInvalidInput, cfg.reuse)
	case cfg.reuse != ReuseNever && cfg.inTx:
		return fmt.Errorf("%w: Reuse is not possible in a transaction of the caller's", ErrInvalidInput)
	}
	if version != nil {
		if _, err := core.ParseVersion(*version); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalidInput, err)
		}
	}
	return nil
}

// looksFirst reports whether a start has to know what is there. By default it
// does not: a second start of an id is ignored when it arrives.
func (cfg startConfig) looksFirst() bool {
	return cfg.conflict == FailIfExists || cfg.reuse != ReuseNever || cfg.requestID != ""
}

// existing deals with what is stored under the id of a start. It reports whether
// the start is done with it.
func (c *Client) existing(ctx context.Context, id string, cfg startConfig) (done bool, err error) {
	events, err := c.provider.Read(ctx, core.ReadParams{Instance: id})
	switch {
	case errors.Is(err, core.ErrUndecodable):
		return true, fmt.Errorf("start %s: %w", id, ErrInstanceExists)
	case err != nil:
		return true, fmt.Errorf("start %s: %w", id, err)
	case len(events) == 0:
		return false, nil
	}
	if cfg.requestID != "" {
		same, err := c.startedBy(ctx, id, events, cfg.requestID)
		if err != nil || same {
			return true, err
		}
	}
	if cfg.reuse.allows(events) {
		return false, c.deleteEnded(ctx, id)
	}
	if cfg.conflict == FailIfExists {
		return true, fmt.Errorf("start %s: %w", id, ErrInstanceExists)
	}
	return true, nil
}

// startedBy reports whether the instance was started by a request. A later
// execution does not say so, but the first one does as long as it is there.
func (c *Client) startedBy(ctx context.Context, id string, latest []core.Event, requestID string) (bool, error) {
	first := latest
	if latest[0].ExecutionID != core.FirstExecutionID {
		var err error
		first, err = c.provider.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: id, ExecutionID: core.FirstExecutionID})
		if err != nil {
			return false, fmt.Errorf("start %s: %w", id, err)
		}
	}
	if len(first) == 0 {
		return false, nil
	}
	started, ok := first[0].Data.(core.OrchestrationStarted)
	return ok && started.RequestID != nil && *started.RequestID == requestID, nil
}

// allows reports whether the instance with this latest execution may be replaced.
func (p ReusePolicy) allows(latest []core.Event) bool {
	if p == ReuseNever {
		return false
	}
	for _, ev := range latest {
		switch ev.Data.(type) {
		case core.OrchestrationCompleted:
			return p == ReuseEnded
		case core.OrchestrationFailed:
			return true
		}
	}
	return false
}

func (c *Client) deleteEnded(ctx context.Context, id string) error {
	deleter, ok := core.Ability[core.AdminDeleter](c.provider)
	if !ok {
		return fmt.Errorf("start %s: reuse of the id: %w: the provider %s does not delete instances", id, ErrNotSupported, c.provider.Name())
	}
	_, err := deleter.DeleteInstance(ctx, core.DeleteInstanceParams{Instance: id})
	switch {
	case errors.Is(err, core.ErrNotFound): // somebody else was faster
		return nil
	case errors.Is(err, core.ErrStillRunning):
		return fmt.Errorf("start %s: %w: %w", id, ErrInstanceExists, err)
	case err != nil:
		return fmt.Errorf("start %s: reuse of the id: %w", id, err)
	}
	return nil
}
