package durable

import (
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// Client starts, signals and observes instances. It is safe for concurrent use
// and needs no runtime in its process.
type Client struct {
	provider core.Provider
	clock    core.Clock
	observer ClientObserver
	waiting  waiting
}

// ClientOptions configure a [Client]. The zero value is the default.
type ClientOptions struct {
	// Clock paces waiting; nil is the system's.
	Clock core.Clock
	// Observer is told what the client did; nil for nobody.
	Observer *ClientObserver
}

// NewClient returns a client of a provider's store. Nil options are the
// defaults.
func NewClient(p core.Provider, o *ClientOptions) *Client {
	c := &Client{provider: p, clock: core.SystemClock()}
	if o != nil && o.Clock != nil {
		c.clock = o.Clock
	}
	if o != nil && o.Observer != nil {
		c.observer = *o.Observer
	}
	return c
}

// sender stores a message for an instance; what says in its error what for.
type sender func(ctx context.Context, what, id string, p core.EnqueueForOrchestratorParams) error

// send stores a message in a transaction of its own.
func (c *Client) send(ctx context.Context, what, id string, p core.EnqueueForOrchestratorParams) error {
	if err := c.provider.EnqueueForOrchestrator(ctx, p); err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}

// now has a message delivered without delay.
func now(item core.WorkItem) core.EnqueueForOrchestratorParams {
	return core.EnqueueForOrchestratorParams{Item: item}
}

// RaiseEvent sends an external event to an instance, for [WaitEvent]. It is
// lost when the instance does not wait for it.
func (c *Client) RaiseEvent(ctx context.Context, id, name string, data any) error {
	return c.raise(ctx, c.send, id, name, data)
}

func (c *Client) raise(ctx context.Context, send sender, id, name string, data any) error {
	text, err := encode(data)
	if err != nil {
		return fmt.Errorf("raise event %s: %w: %w", name, ErrInvalidInput, err)
	}
	err = send(ctx, "raise event "+name+" to", id, now(core.ExternalRaisedItem{Instance: id, Name: name, Data: text}))
	if f := c.observer.EventRaised; f != nil && err == nil {
		f(ctx, ClientEventRaised{InstanceID: id, Name: name})
	}
	return err
}

// EnqueueMessage sends a message to a queue of an instance, for [Dequeue]. It
// waits until it is read; it is lost when the instance was never started.
func (c *Client) EnqueueMessage(ctx context.Context, id, queue string, data any) error {
	return enqueue(ctx, c.send, id, queue, data)
}

func enqueue(ctx context.Context, send sender, id, queue string, data any) error {
	text, err := encode(data)
	if err != nil {
		return fmt.Errorf("enqueue message to %s: %w: %w", queue, ErrInvalidInput, err)
	}
	return send(ctx, "enqueue message to "+queue+" of", id, now(core.QueueMessageItem{Instance: id, Name: queue, Data: text}))
}

// Cancel asks to cancel an instance with its children. The orchestration's code
// does not run again; activities in flight learn of it. It has no effect on an
// instance that is unknown or has ended.
func (c *Client) Cancel(ctx context.Context, id, reason string) error {
	return c.cancel(ctx, c.send, id, reason)
}

func (c *Client) cancel(ctx context.Context, send sender, id, reason string) error {
	err := send(ctx, "cancel", id, now(core.CancelInstanceItem{Instance: id, Reason: reason}))
	if f := c.observer.Cancelled; f != nil && err == nil {
		f(ctx, ClientCancelled{InstanceID: id})
	}
	return err
}

// Status is what a client sees of an instance.
type Status struct {
	InstanceID string
	// ExecutionID is the current execution.
	ExecutionID uint64
	// State is running, completed or failed; an execution that continues as
	// new counts as running.
	State core.ExecutionStatus
	// Output is the encoded result of a completed instance.
	Output string
	// Failure is set for a failed instance.
	Failure core.ErrorDetails
	// CustomStatus is nil when there is none. Its version grows with each
	// change, for [Client.WaitStatusChange].
	CustomStatus        *string
	CustomStatusVersion uint64
}

// Done reports whether the instance has ended.
func (s *Status) Done() bool {
	return s.State == core.StatusCompleted || s.State == core.StatusFailed
}

// Status returns what is known of an instance, or [ErrInstanceNotFound], also
// while its start is still queued.
func (c *Client) Status(ctx context.Context, id string) (*Status, error) {
	s, err := c.readStatus(ctx, id)
	if err != nil {
		return nil, err
	}
	custom, err := c.provider.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: id})
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", id, err)
	}
	if custom != nil {
		s.CustomStatus, s.CustomStatusVersion = custom.Status, custom.Version
	}
	return s, nil
}

func (c *Client) readStatus(ctx context.Context, id string) (*Status, error) {
	events, err := c.provider.Read(ctx, core.ReadParams{Instance: id})
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", id, err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrInstanceNotFound, id)
	}
	s := &Status{InstanceID: id, ExecutionID: events[0].ExecutionID, State: core.StatusRunning}
	for _, ev := range slices.Backward(events) {
		switch d := ev.Data.(type) {
		case core.OrchestrationCompleted:
			s.State, s.Output = core.StatusCompleted, d.Output
			return s, nil
		case core.OrchestrationFailed:
			s.State, s.Failure = core.StatusFailed, d.Details
			return s, nil
		}
	}
	return s, nil
}

// Wait waits until the instance has ended and returns its status. An instance
// that does not exist yet is waited for. It returns ctx's error when ctx ends
// first, so give it a deadline.
//
// Any number of waits costs a query now and then, not one each, if the provider
// tells when instances end, as all providers of this project do.
func (c *Client) Wait(ctx context.Context, id string) (*Status, error) {
	began := c.clock.Now()
	s, err := c.await(ctx, id, nil)
	if f := c.observer.Waited; f != nil {
		f(ctx, ClientWaited{InstanceID: id, Duration: max(c.clock.Now().Sub(began), 0), Err: err})
	}
	return s, err
}

// WaitStatusChange waits until the custom status has a version above the given
// one, or the instance has ended, and returns the status. Start with version 0.
func (c *Client) WaitStatusChange(ctx context.Context, id string, lastSeenVersion uint64) (*Status, error) {
	return c.await(ctx, id, &lastSeenVersion)
}

// History returns the events of the current execution, none for an unknown
// instance.
func (c *Client) History(ctx context.Context, id string) ([]core.Event, error) {
	return c.provider.Read(ctx, core.ReadParams{Instance: id})
}

// ExecutionHistory returns the events of one execution.
func (c *Client) ExecutionHistory(ctx context.Context, id string, executionID uint64) ([]core.Event, error) {
	return c.provider.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: id, ExecutionID: executionID})
}

// KVGetRaw returns the stored text of a key of an instance, nil when there is
// none.
func (c *Client) KVGetRaw(ctx context.Context, id, key string) (*string, error) {
	return c.provider.GetKVValue(ctx, core.GetKVValueParams{Instance: id, Key: key})
}

// KVAll returns the stored texts of all keys of an instance.
func (c *Client) KVAll(ctx context.Context, id string) (map[string]string, error) {
	return c.provider.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: id})
}

// Run is one instance as its starter sees it.
type Run[Out any] struct {
	client *Client
	id     string
}

// InstanceID returns the instance's id.
func (r *Run[Out]) InstanceID() string { return r.id }

// Wait waits until the instance has ended and returns its result. An instance
// that failed gives a [*RunError]. It returns ctx's error when ctx ends first.
func (r *Run[Out]) Wait(ctx context.Context) (Out, error) {
	var zero Out
	s, err := r.client.Wait(ctx, r.id)
	if err != nil {
		return zero, err
	}
	if s.Failure != nil {
		return zero, &RunError{InstanceID: r.id, Details: s.Failure}
	}
	out, err := decode[Out](s.Output)
	if err != nil {
		return zero, fmt.Errorf("result of %s: %w", r.id, err)
	}
	return out, nil
}
