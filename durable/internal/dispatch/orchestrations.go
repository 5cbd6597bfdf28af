package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// noCodePause is the time between two looks for the first orchestration of a
// process that has none.
const noCodePause = time.Second

func (d *Dispatcher) fetchTurn() (func(), error) {
	// Every turn would be given back, which delays its instance and counts as an
	// attempt.
	if !d.cfg.Registry.HasOrchestrations() {
		d.sleep(d.fetching, noCodePause)
		return nil, nil
	}
	item, err := d.cfg.Provider.FetchOrchestrationItem(d.fetching, core.FetchOrchestrationItemParams{
		LockTimeout: d.cfg.InstanceLock,
		PollTimeout: d.cfg.PollTimeout,
		Filter:      &core.CapabilityFilter{SupportedVersions: []core.VersionRange{d.cfg.Turns.Supported}},

		HistoryLimit: d.historyLimit,
	})
	if item == nil || err != nil {
		return nil, err
	}
	processed := d.fetched(OrchestratorQueue)
	return func() { processed(d.turn(item)) }, nil
}

// turn runs one fetched instance. Shutdown does not interrupt it: a turn is
// short, and its lock is kept until it is stored.
func (d *Dispatcher) turn(item *core.OrchestrationItem) Fate {
	ctx, cancel := context.WithCancel(d.working)
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		d.keepLock(ctx, d.cfg.InstanceLock, d.cfg.InstanceLockBuffer, func(ctx context.Context) error {
			return d.cfg.Provider.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: item.LockToken, ExtendFor: d.cfg.InstanceLock})
		}, func(err error) {
			d.log.Warn("instance lock lost during a turn", "instance_id", item.Instance, "error", err)
		})
	}()
	defer func() {
		cancel()
		<-renewing
	}()

	decision, err := d.decide(ctx, item)
	if err != nil {
		d.log.Warn("history could not be read: the instance is given back", "instance_id", item.Instance, "error", err)
		d.release(d.cfg.Provider.AbandonOrchestrationItem, d.giveBack(item))
		return Abandoned
	}
	if decision.Abandon != nil {
		d.release(d.cfg.Provider.AbandonOrchestrationItem, *decision.Abandon)
		return Abandoned
	}
	// Before the turn is stored, because the next one may be fetched before the
	// acknowledgement returns. Until then no fetch tells its token.
	if decision.Suspended != nil {
		d.warm.put(item, decision.Ack.ExecutionID, decision.Suspended)
	}
	err = d.retry(ctx, func(ctx context.Context) error {
		return d.cfg.Provider.AckOrchestrationItem(ctx, *decision.Ack)
	})
	if err != nil {
		if decision.Suspended != nil {
			d.warm.discard(item) // it remembers what was not stored
		}
		return d.ackFailed(ctx, item, decision, err)
	}
	d.leases.unwanted(decision.Ack.CancelledActivities)
	d.turnStored(ctx, item, decision.Ack, decision.Summary)
	d.logResult(item, decision)
	return Acked
}

// giveBack is how an instance is given back after trouble that may pass.
func (d *Dispatcher) giveBack(item *core.OrchestrationItem) core.AbandonParams {
	p := core.AbandonParams{LockToken: item.LockToken, Delay: 50 * time.Millisecond}
	if d.working.Err() != nil { // interrupted by shutdown, which is nobody's failure
		p.Delay, p.IgnoreAttempt = 0, true
	}
	return p
}

// ackFailed deals with a turn that could not be stored. Trouble that may pass
// gives the instance back, and the turn is run again; a turn that can never be
// stored fails its execution.
func (d *Dispatcher) ackFailed(ctx context.Context, item *core.OrchestrationItem, decision Decision, err error) Fate {
	log := d.log.With("instance_id", item.Instance, "execution_id", decision.Ack.ExecutionID, "error", err)
	giveBack := d.giveBack(item)
	var pe *core.ProviderError
	switch {
	case errors.Is(err, core.ErrLockLost):
		log.Warn("turn discarded: the instance lock was lost")
		return Lost
	case core.IsRetryable(err) || !errors.As(err, &pe):
		log.Warn("turn could not be stored: the instance is given back")
		d.release(d.cfg.Provider.AbandonOrchestrationItem, giveBack)
	default:
		log.Error("turn can never be stored: the execution fails")
		if err := d.loadHistory(ctx, item); err != nil {
			log.Error("history could not be read: the instance is given back", "second_error", err)
			d.release(d.cfg.Provider.AbandonOrchestrationItem, giveBack)
			return Abandoned
		}
		ack := d.cfg.Turns.failUnstorable(ctx, item, decision, pe)
		if err := d.retry(ctx, func(ctx context.Context) error { return d.cfg.Provider.AckOrchestrationItem(ctx, *ack) }); err != nil {
			log.Error("failure could not be stored either: the instance is given back", "second_error", err)
			d.release(d.cfg.Provider.AbandonOrchestrationItem, giveBack)
			return Abandoned
		}
		d.turnStored(ctx, item, ack, nil)
		return Acked
	}
	return Abandoned
}

// failUnstorable makes the acknowledgement that records, on top of what is
// stored, that a turn could not be.
func (t *Turns) failUnstorable(ctx context.Context, item *core.OrchestrationItem, decision Decision, cause *core.ProviderError) *core.AckOrchestrationItemParams {
	details := core.InfrastructureError{Operation: cause.Op, Message: cause.Err.Error(), Retryable: cause.Retryable}
	b := readBatch(item)
	ack := &core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: decision.Ack.ExecutionID, OrchestratorItems: decision.Notices}
	nextID := core.FirstEventID
	for _, ev := range b.history() {
		nextID = max(nextID, ev.ID+1)
	}
	owner := b.started
	if start, _, ok := b.newStart(); ok {
		// Its input may be what cannot be stored.
		start.Input, start.CarryForwardEvents, start.InitialCustomStatus = "", nil, nil
		start.Version = core.UnknownVersion
		if v := decision.Ack.Metadata.OrchestrationVersion; v != nil {
			start.Version = *v
		}
		owner = &start
		ack.HistoryDelta = append(ack.HistoryDelta, t.event(item.Instance, ack.ExecutionID, nextID, start))
		ack.Metadata.OrchestrationName, ack.Metadata.OrchestrationVersion = &start.Name, &start.Version
		ack.Metadata.ParentInstanceID = start.ParentInstance
		nextID++
	}
	ack.HistoryDelta = append(ack.HistoryDelta, t.event(item.Instance, ack.ExecutionID, nextID, core.OrchestrationFailed{Details: details}))
	ack.Metadata.Status, ack.Metadata.Output = core.StatusFailed, new(details.Error())
	if owner != nil {
		notice := t.tellParent(ctx, *owner, details)
		ack.OrchestratorItems = append(notice, ack.OrchestratorItems...)
	}
	return ack
}

func (d *Dispatcher) logResult(item *core.OrchestrationItem, decision Decision) {
	ack := decision.Ack
	log := d.log.With("instance_id", item.Instance, "execution_id", ack.ExecutionID, "orchestration_name", item.OrchestrationName)
	if ack.Metadata.OrchestrationName != nil {
		log.Debug("orchestration started", "orchestration_version", deref(ack.Metadata.OrchestrationVersion))
	}
	switch decision.Result {
	case replay.Completed:
		log.Debug("orchestration completed")
	case replay.ContinuedAsNew:
		log.Debug("orchestration continued as new")
	case replay.Cancelled:
		log.Info("orchestration cancelled", "error", deref(ack.Metadata.Output))
	case replay.Failed:
		log.Warn("orchestration failed", "error", deref(ack.Metadata.Output))
	}
}
