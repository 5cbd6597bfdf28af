package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Registry finds the code of orchestrations and activities by name.
type Registry interface {
	// HasOrchestrations reports whether there is any orchestration.
	HasOrchestrations() bool
	// ResolveOrchestration returns the code for a name and a version, nil for
	// the version that the name's policy gives, with the version it is.
	ResolveOrchestration(name string, version *string) (h replay.Handler, resolved string, ok bool)
	// ResolveActivity returns the code of an activity.
	ResolveActivity(name string) (ActivityHandler, bool)
}

// Turns decides what a fetched instance leads to.
type Turns struct {
	Registry    Registry
	Now         func() time.Time
	Stamp       string
	Supported   core.VersionRange
	MaxAttempts uint32
	// Backoff is the delay before work without registered code is tried again.
	Backoff      func(attempt uint32) time.Duration
	StrictInputs bool
	StrictReplay bool
	// SlowAfter is when code that does not wait for anything durable is reported.
	SlowAfter time.Duration
	// FailNondeterminism fails an execution whose code does not fit its
	// history, instead of parking it for ParkDelay.
	FailNondeterminism bool
	ParkDelay          time.Duration
	// Suspend leaves the code of an execution that goes on suspended.
	Suspend bool
	// Summarise asks for the summaries of decisions.
	Summarise bool
	// ParentExecution finds the current execution of a parent whose link lacks it.
	ParentExecution func(ctx context.Context, parent string) uint64
	Logger          *slog.Logger
}

// incompatibleDelay is how long an item waits that this runtime may not run or
// cannot decode.
const incompatibleDelay = time.Second

// Decision is what to do with a fetched instance: exactly one of Ack and
// Abandon is set.
type Decision struct {
	Ack     *core.AckOrchestrationItemParams
	Abandon *core.AbandonParams
	// Notices are the collision notices within Ack; they survive when the rest
	// of the turn cannot be stored.
	Notices []core.WorkItem
	// Result is how the turn ended, for logs.
	Result replay.Result
	// Suspended is the code of an execution that goes on, nil if it is not
	// kept. Whoever has the decision keeps it with the turn, or closes it.
	Suspended *replay.Suspended
	// Summary is set if Turns.Summarise is and the code had a part in the turn.
	Summary *replay.Summary
}

// Decide runs the turn of a fetched item, or says why there is none. It holds
// the lock only through the item and does no I/O but ParentExecution's.
func (t *Turns) Decide(ctx context.Context, item *core.OrchestrationItem) Decision {
	log := t.Logger.With("instance_id", item.Instance, "execution_id", item.ExecutionID, "orchestration_name", item.OrchestrationName)
	abandon := func(delay time.Duration, ignoreAttempt bool) Decision {
		return Decision{Abandon: &core.AbandonParams{LockToken: item.LockToken, Delay: delay, IgnoreAttempt: ignoreAttempt}}
	}
	if stamp, ok := t.supports(item); !ok {
		log.Warn("execution pinned at an incompatible version: abandoned", "pinned_version", stamp,
			"supported_range", ">="+t.Supported.Min.String()+", <="+t.Supported.Max.String(), "attempt_count", item.AttemptCount)
		return abandon(incompatibleDelay, false)
	}
	b := readBatch(item)
	parentExecution := func(parent string) uint64 { return t.ParentExecution(ctx, parent) }
	if item.AttemptCount > t.MaxAttempts {
		log.Error("orchestration poisoned: fetched too often", "attempt_count", item.AttemptCount, "max_attempts", t.MaxAttempts)
		return Decision{Ack: t.poison(ctx, &b), Result: replay.Failed}
	}
	if item.HistoryError != "" {
		log.Warn("stored history cannot be decoded: abandoned", "error", item.HistoryError, "attempt_count", item.AttemptCount)
		return abandon(incompatibleDelay, false)
	}
	if b.awaitsSuccessor() {
		return abandon(t.Backoff(item.AttemptCount), false)
	}
	notices := b.collisions(parentExecution)
	ack := &core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: b.execution(), OrchestratorItems: notices}
	consume := Decision{Ack: ack, Notices: notices}
	if b.terminal() {
		return consume
	}

	name, version := "", (*string)(nil)
	start, startVersion, isNew := b.newStart()
	switch {
	case isNew:
		name, version = start.Name, startVersion
	case b.started != nil:
		name, version = b.started.Name, &b.started.Version
	case len(b.history()) == 0:
		log.Warn("messages dropped: the instance never started", "messages", len(item.Messages))
		return consume
	}
	handler, resolved, ok := t.resolve(name, version)
	// A history that does not begin with a start names no code; the engine
	// reports what is wrong with it without running any.
	if !ok && (isNew || b.started != nil) {
		delay := t.Backoff(item.AttemptCount)
		log.Warn("orchestration not registered here: abandoned", "version", deref(version), "attempt_count", item.AttemptCount,
			"remaining_attempts", t.MaxAttempts+1-item.AttemptCount, "max_attempts", t.MaxAttempts, "backoff", delay)
		return Decision{Abandon: &core.AbandonParams{LockToken: item.LockToken, Delay: delay, StayAway: stayAway(delay)}}
	}
	in := replay.Input{
		Instance: item.Instance, Execution: b.execution(), History: b.history(), Messages: b.messages,
		KV: item.KVSnapshot, Handler: handler, Now: t.Now, Stamp: t.Stamp,
		StrictInputs: t.StrictInputs, StrictReplay: t.StrictReplay, SlowAfter: t.SlowAfter,
		ParentExecution: parentExecution, Logger: t.Logger, Summarise: t.Summarise,
	}
	if isNew {
		start.Version = resolved
		in.Start = &start
	}
	if !t.Suspend {
		return t.decision(log, ack, notices, locate(in, replay.Run(in)))
	}
	out, suspended := replay.Begin(in)
	out = locate(in, out)
	decision := t.decision(log, ack, notices, out)
	decision.Suspended = suspended
	return decision
}

// locate finds out where in the user's code a turn went wrong, by running it
// once more. A turn is a function of its input, but if it goes well this time the
// first result stands.
func locate(in replay.Input, out replay.Output) replay.Output {
	if out.Nondeterminism == nil {
		return out
	}
	in.Sites = true
	if again := replay.Run(in); again.Nondeterminism != nil {
		return again
	}
	return out
}

// Resume runs the turn of a fetched item on suspended code. The batch holds
// nothing but messages for it.
func (t *Turns) Resume(ctx context.Context, item *core.OrchestrationItem, s *replay.Suspended) Decision {
	log := t.Logger.With("instance_id", item.Instance, "execution_id", item.ExecutionID, "orchestration_name", item.OrchestrationName)
	out, suspended := s.Resume(replay.Input{
		Messages: item.Messages, Now: t.Now, Stamp: t.Stamp, StrictInputs: t.StrictInputs, SlowAfter: t.SlowAfter,
		ParentExecution: func(parent string) uint64 { return t.ParentExecution(ctx, parent) }, Logger: t.Logger,
		Summarise: t.Summarise,
	})
	ack := &core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: item.ExecutionID}
	decision := t.decision(log, ack, nil, out)
	decision.Suspended = suspended
	return decision
}

// decision puts what a turn produced into its acknowledgement.
func (t *Turns) decision(log *slog.Logger, ack *core.AckOrchestrationItemParams, notices []core.WorkItem, out replay.Output) Decision {
	if out.Nondeterminism != nil && !t.FailNondeterminism {
		log.Error("instance parked: its code does not repeat what its history records",
			"error", out.Nondeterminism.Error(), "retry_in", t.ParkDelay)
		return Decision{Abandon: &core.AbandonParams{LockToken: ack.LockToken, Delay: t.ParkDelay, IgnoreAttempt: true}}
	}
	if out.PanicStack != "" {
		log.Error("orchestration panicked", "error", out.Failure.Error(), "stack", out.PanicStack)
	}
	ack.HistoryDelta = out.Delta
	ack.WorkerItems = out.WorkerItems
	ack.OrchestratorItems = slices.Concat(out.OrchestratorItems, notices)
	ack.Metadata = out.Metadata
	ack.CancelledActivities = out.CancelledActivities
	return Decision{Ack: ack, Notices: notices, Result: out.Result, Summary: out.Summary}
}

// supports checks the stamp of the stored execution against the range that
// this runtime replays, in case the provider does not filter.
func (t *Turns) supports(item *core.OrchestrationItem) (stamp string, ok bool) {
	if len(item.History) == 0 {
		return "", true
	}
	stamp = item.History[0].DuroxideVersion
	v, err := core.ParseVersion(stamp)
	return stamp, err != nil || t.Supported.Contains(v)
}

// stayAway is how much longer than others this process keeps away from work that it
// has no code for: long enough for who is not woken at once when it is due.
func stayAway(backoff time.Duration) time.Duration { return min(2*backoff, 2*time.Second) }

func (t *Turns) resolve(name string, version *string) (replay.Handler, string, bool) {
	if version != nil && *version == core.ExecutionVersionUnset {
		version = nil
	}
	return t.Registry.ResolveOrchestration(name, version)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
