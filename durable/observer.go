package durable

import (
	"context"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/dispatch"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// Observer is a set of functions that a [Runtime] calls when something happened
// that is worth counting; module otelmetrics makes one for OpenTelemetry. Set
// what is wanted and leave the rest nil. Fields may be added later, so name them.
//
// Of executions, sub-orchestrations and activities each runtime tells what its
// own acknowledgements recorded, once, after they succeeded: what was given back,
// lost its lock or was interrupted is told by whoever completes it in the end. A
// process that is killed between an acknowledgement and the call tells nothing of
// it.
//
// The functions are called synchronously, before the slot of the work is free
// again, and by several goroutines at the same time: they must be fast and safe
// for concurrent use, and they must not panic. The context is that of the work:
// it has the values of the one given to [Runtime.Start] and may have ended.
type Observer struct {
	// ExecutionStarted is called when the first event of an execution is
	// recorded.
	ExecutionStarted func(context.Context, ExecutionStarted)
	// ExecutionEnded is called when the end of an execution is recorded, also
	// when the next one follows.
	ExecutionEnded func(context.Context, ExecutionEnded)
	// SubOrchestrationEnded is called when a parent records the outcome of a
	// child.
	SubOrchestrationEnded func(context.Context, SubOrchestrationEnded)
	// ActivityEnded is called when the outcome of an activity is recorded, and
	// when an activity that was no longer wanted has stopped. Each attempt of a
	// [Retry] is an activity of its own. One whose code ends before it is told
	// that nobody wants its result ends untold, and is processed as [WorkLost].
	ActivityEnded func(context.Context, ActivityEnded)
	// Fetched is called when an instance was fetched for a turn, or an activity.
	Fetched func(context.Context, Fetched)
	// Processed is called when that is done with, whatever came of it.
	Processed func(context.Context, Processed)
	// WarmMismatch is called when an execution that was kept suspended came out
	// differently than its replay, see [WarmStats]: its code is not
	// deterministic. It does not wait for an acknowledgement.
	WarmMismatch func(context.Context, WarmMismatch)
}

// Execution says which execution something is about.
type Execution struct {
	InstanceID  string
	ExecutionID uint64
	// Name and Version are the orchestration's.
	Name, Version string
	// InitiatedBy is empty if the history cannot be decoded.
	InitiatedBy Initiator
}

// Initiator is who made an execution begin.
type Initiator string

const (
	// InitiatedByClient is a start by a client, or a detached one by an
	// orchestration, which is recorded the same way.
	InitiatedByClient Initiator = "client"
	// InitiatedByParent is a start by the orchestration that waits for it.
	InitiatedByParent Initiator = "suborchestration"
	// InitiatedByContinueAsNew is every execution of an instance but its first.
	InitiatedByContinueAsNew Initiator = "continueAsNew"
)

// ExecutionStarted says that an execution began.
type ExecutionStarted struct{ Execution }

// ExecutionEnded says how an execution ended.
type ExecutionEnded struct {
	Execution
	Status ExecutionOutcome
	// Error is why it failed or was cancelled, else nil. Its Category tells
	// whose fault it is.
	Error core.ErrorDetails
	// Poisoned says that it failed because its own messages were fetched too
	// often. The failure of a poisoned activity or child ends an execution with
	// the same kind of Error, and is not meant.
	Poisoned bool
	// Duration is the time from the recorded start until now, by the clocks of
	// those who recorded it and of this runtime. It is never negative. Like the
	// numbers below it is 0 if the history cannot be decoded.
	Duration time.Duration
	// HistorySize is how many events the execution recorded.
	HistorySize int
	// Turns is how many turns the history shows. Where a turn ended in which the
	// code did nothing is not recorded: it counts as one with the turn after it.
	// So the number is the same whether the execution was kept suspended or not.
	Turns int
}

// ExecutionOutcome is how an execution ended.
type ExecutionOutcome string

// How an execution can end.
const (
	ExecutionSucceeded      ExecutionOutcome = "success"
	ExecutionFailed         ExecutionOutcome = "failed"
	ExecutionCancelled      ExecutionOutcome = "cancelled"
	ExecutionContinuedAsNew ExecutionOutcome = "continuedAsNew"
)

// SubOrchestrationEnded says how a child ended, as its parent learned of it.
type SubOrchestrationEnded struct {
	Parent Execution
	// ChildID is the id that the child was scheduled under, without that of the
	// parent; Child is the name of its orchestration.
	ChildID, Child string
	// Error is nil for a success.
	Error core.ErrorDetails
	// Duration is the recorded time from the schedule to the outcome. It is
	// never negative.
	Duration time.Duration
}

// ActivityEnded says how an activity ended.
type ActivityEnded struct {
	InstanceID  string
	ExecutionID uint64
	ActivityID  uint64
	Name        string
	// Tag is nil for none.
	Tag *string
	// Attempt counts the deliveries to a worker, from 1.
	Attempt uint32
	Outcome ActivityOutcome
	// Error is nil for a success and for what was cancelled.
	Error core.ErrorDetails
	// Duration is how long the code ran, 0 if it did not.
	Duration time.Duration
}

// ActivityOutcome is how an activity ended.
type ActivityOutcome string

const (
	// ActivitySucceeded is a result.
	ActivitySucceeded ActivityOutcome = "success"
	// ActivityAppError is an error that the code returned or caused, such as by
	// a panic or a time-out.
	ActivityAppError ActivityOutcome = "app_error"
	// ActivityCancelled is what was no longer wanted. Nothing is recorded.
	ActivityCancelled ActivityOutcome = "cancelled"
	// ActivityConfigError is a failure that is recorded as the deployment's.
	ActivityConfigError ActivityOutcome = "config_error"
	// ActivityInfraError is a failure that is recorded as the storage's.
	ActivityInfraError ActivityOutcome = "infra_error"
	// ActivityPoison is what was fetched too often, also without code for it.
	ActivityPoison ActivityOutcome = "poison"
)

// WorkQueue is one of the two queues of a provider.
type WorkQueue string

// The queues: of the instances that have to take a turn, and of the activities.
const (
	OrchestratorQueue = WorkQueue(dispatch.OrchestratorQueue)
	WorkerQueue       = WorkQueue(dispatch.WorkerQueue)
)

// WorkFate is what became of something that was fetched.
type WorkFate string

const (
	// WorkAcked is work whose outcome is recorded.
	WorkAcked = WorkFate(dispatch.Acked)
	// WorkAbandoned is work that was given back, or left to its lock, and will
	// be fetched again.
	WorkAbandoned = WorkFate(dispatch.Abandoned)
	// WorkLost is work that somebody else has taken over, or that is no longer
	// wanted.
	WorkLost = WorkFate(dispatch.Lost)
)

// Fetched says that work was fetched.
type Fetched struct{ Queue WorkQueue }

// Processed says what became of work that was fetched.
type Processed struct {
	Queue WorkQueue
	Fate  WorkFate
	// Duration is the time since the fetch.
	Duration time.Duration
}

// WarmMismatch says that an orchestration is not deterministic.
type WarmMismatch struct {
	InstanceID    string
	ExecutionID   uint64
	Name, Version string
}

// observing tells an observer what the dispatcher does.
type observing struct{ o Observer }

func (o observing) Fetched(ctx context.Context, q dispatch.Queue) {
	if f := o.o.Fetched; f != nil {
		f(ctx, Fetched{WorkQueue(q)})
	}
}

func (o observing) Processed(ctx context.Context, q dispatch.Queue, fate dispatch.Fate, took time.Duration) {
	if f := o.o.Processed; f != nil {
		f(ctx, Processed{WorkQueue(q), WorkFate(fate), took})
	}
}

func (o observing) ExecutionStarted(ctx context.Context, e dispatch.Execution) {
	if f := o.o.ExecutionStarted; f != nil {
		f(ctx, ExecutionStarted{observed(e)})
	}
}

func (o observing) ExecutionEnded(ctx context.Context, e dispatch.Execution, end dispatch.ExecutionEnd) {
	f := o.o.ExecutionEnded
	if f == nil {
		return
	}
	ended := ExecutionEnded{Execution: observed(e), Duration: end.Took, HistorySize: end.Events, Turns: end.Turns}
	switch d := end.Event.(type) {
	case core.OrchestrationCompleted:
		ended.Status = ExecutionSucceeded
	case core.OrchestrationContinuedAsNew:
		ended.Status = ExecutionContinuedAsNew
	case core.OrchestrationFailed:
		ended.Status, ended.Error, ended.Poisoned = ExecutionFailed, d.Details, poisons(d.Details, e)
		if app, ok := d.Details.(core.ApplicationError); ok && app.Kind == core.KindCancelled(app.Kind.Reason) {
			ended.Status = ExecutionCancelled
		}
	}
	f(ctx, ended)
}

// poisons reports whether the error is that of the execution's own messages.
func poisons(details core.ErrorDetails, e dispatch.Execution) bool {
	poison, _ := details.(core.PoisonError)
	switch m := poison.MessageType.(type) {
	case core.PoisonOrchestration:
		return m.Instance == e.Instance && m.ExecutionID == e.ID
	case core.PoisonUndecodable:
		return m.Instance == e.Instance && m.ExecutionID == e.ID
	}
	return false
}

func (o observing) ChildEnded(ctx context.Context, parent dispatch.Execution, c replay.ChildOutcome) {
	if f := o.o.SubOrchestrationEnded; f != nil {
		f(ctx, SubOrchestrationEnded{Parent: observed(parent), ChildID: c.Instance, Child: c.Orchestration, Error: c.Details, Duration: c.Took})
	}
}

func (o observing) ActivityEnded(ctx context.Context, a core.ActivityExecuteItem, attempt uint32, end dispatch.ActivityEnd) {
	f := o.o.ActivityEnded
	if f == nil {
		return
	}
	f(ctx, ActivityEnded{
		InstanceID: a.Instance, ExecutionID: a.ExecutionID, ActivityID: a.ID, Name: a.Name, Tag: a.Tag, Attempt: attempt,
		Outcome: activityOutcome(end), Error: end.Details, Duration: end.Took,
	})
}

func activityOutcome(end dispatch.ActivityEnd) ActivityOutcome {
	if end.Cancelled {
		return ActivityCancelled
	}
	switch end.Details.(type) {
	case nil:
		return ActivitySucceeded
	case core.ConfigurationError:
		return ActivityConfigError
	case core.InfrastructureError:
		return ActivityInfraError
	case core.PoisonError:
		return ActivityPoison
	}
	return ActivityAppError
}

func (o observing) WarmMismatch(ctx context.Context, e dispatch.Execution) {
	if f := o.o.WarmMismatch; f != nil {
		f(ctx, WarmMismatch{InstanceID: e.Instance, ExecutionID: e.ID, Name: e.Name, Version: e.Version})
	}
}

func observed(e dispatch.Execution) Execution {
	x := Execution{InstanceID: e.Instance, ExecutionID: e.ID, Name: e.Name, Version: e.Version, InitiatedBy: InitiatedByClient}
	switch {
	case e.Unreadable:
		x.InitiatedBy = ""
	case e.ID != core.FirstExecutionID:
		x.InitiatedBy = InitiatedByContinueAsNew
	case e.Child:
		x.InitiatedBy = InitiatedByParent
	}
	return x
}
