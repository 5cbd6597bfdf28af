package memprovider

import (
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// The functions of this file make deep copies and, since they know every kind,
// refuse what is none: a payload that is missing or a pointer to a kind.

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// cloneEvents copies events for storing.
func cloneEvents(events []core.Event) ([]core.Event, error) {
	clones := make([]core.Event, len(events))
	for n, e := range events {
		if e.ID == 0 {
			return nil, fmt.Errorf("event %d of %d: %w: its id is 0", n+1, len(events), core.ErrInvalidArgument)
		}
		var err error
		if clones[n], err = cloneEvent(e); err != nil {
			return nil, fmt.Errorf("event id %d: %w", e.ID, err)
		}
	}
	return clones, nil
}

func cloneEvent(e core.Event) (core.Event, error) {
	e.SourceID = clonePtr(e.SourceID)
	var err error
	switch d := e.Data.(type) {
	case core.OrchestrationStarted:
		d.ParentInstance = clonePtr(d.ParentInstance)
		d.ParentID = clonePtr(d.ParentID)
		d.ParentExecutionID = clonePtr(d.ParentExecutionID)
		d.CarryForwardEvents = slices.Clone(d.CarryForwardEvents)
		d.InitialCustomStatus = clonePtr(d.InitialCustomStatus)
		d.RequestID = clonePtr(d.RequestID)
		e.Data = d
	case core.ActivityScheduled:
		d.SessionID, d.Tag = clonePtr(d.SessionID), clonePtr(d.Tag)
		e.Data = d
	case core.CustomStatusUpdated:
		d.Status = clonePtr(d.Status)
		e.Data = d
	case core.OrchestrationFailed:
		d.Details, err = cloneDetails(d.Details)
		e.Data = d
	case core.ActivityFailed:
		d.Details, err = cloneDetails(d.Details)
		e.Data = d
	case core.SubOrchestrationFailed:
		d.Details, err = cloneDetails(d.Details)
		e.Data = d
	case core.OrchestrationCompleted, core.OrchestrationContinuedAsNew, core.OrchestrationCancelRequested,
		core.ActivityCompleted, core.ActivityCancelRequested, core.TimerCreated, core.TimerFired,
		core.ExternalSubscribed, core.ExternalEvent, core.ExternalSubscribedCancelled,
		core.QueueSubscribed, core.QueueEventDelivered, core.QueueSubscriptionCancelled,
		core.OrchestrationChained, core.SubOrchestrationScheduled, core.SubOrchestrationCompleted,
		core.SubOrchestrationCancelRequested, core.KeyValueSet, core.KeyValueCleared, core.KeyValuesCleared:
		// Nothing shared.
	default:
		err = fmt.Errorf("%w: %T is no kind of event", core.ErrInvalidArgument, e.Data)
	}
	return e, err
}

func cloneItem(item core.WorkItem) (core.WorkItem, error) {
	var err error
	switch d := item.(type) {
	case core.StartOrchestrationItem:
		d.RequestID = clonePtr(d.RequestID)
		d.Version = clonePtr(d.Version)
		d.ParentInstance = clonePtr(d.ParentInstance)
		d.ParentID = clonePtr(d.ParentID)
		d.ParentExecutionID = clonePtr(d.ParentExecutionID)
		return d, nil
	case core.ContinueAsNewItem:
		d.Version = clonePtr(d.Version)
		d.ParentInstance = clonePtr(d.ParentInstance)
		d.ParentID = clonePtr(d.ParentID)
		d.ParentExecutionID = clonePtr(d.ParentExecutionID)
		d.CarryForwardEvents = slices.Clone(d.CarryForwardEvents)
		d.InitialCustomStatus = clonePtr(d.InitialCustomStatus)
		return d, nil
	case core.ActivityExecuteItem:
		d.SessionID, d.Tag, d.FirstAttempt = clonePtr(d.SessionID), clonePtr(d.Tag), clonePtr(d.FirstAttempt)
		return d, nil
	case core.ActivityFailedItem:
		d.Details, err = cloneDetails(d.Details)
		return d, err
	case core.SubOrchFailedItem:
		d.Details, err = cloneDetails(d.Details)
		return d, err
	case core.ActivityCompletedItem, core.TimerFiredItem, core.ExternalRaisedItem,
		core.SubOrchCompletedItem, core.CancelInstanceItem, core.QueueMessageItem:
		return d, nil
	}
	return nil, fmt.Errorf("%w: %T is no kind of work item", core.ErrInvalidItem, item)
}

func cloneDetails(details core.ErrorDetails) (core.ErrorDetails, error) {
	switch d := details.(type) {
	case core.ConfigurationError:
		d.Message = clonePtr(d.Message)
		return d, nil
	case core.InfrastructureError, core.ApplicationError, core.PoisonError:
		return d, nil
	}
	return nil, fmt.Errorf("%w: %T is no kind of error details", core.ErrInvalidArgument, details)
}

// cloneActivity copies an item for the worker queue.
func cloneActivity(item core.WorkItem) (core.ActivityExecuteItem, error) {
	if _, ok := item.(core.ActivityExecuteItem); !ok {
		return core.ActivityExecuteItem{}, fmt.Errorf("%w: %T does not belong in the worker queue", core.ErrInvalidItem, item)
	}
	clone, err := cloneItem(item)
	return clone.(core.ActivityExecuteItem), err
}

// cloneMessage copies an item for the orchestrator queue.
func cloneMessage(item core.WorkItem) (core.WorkItem, error) {
	if _, ok := item.(core.ActivityExecuteItem); ok {
		return nil, fmt.Errorf("%w: %T does not belong in the orchestrator queue", core.ErrInvalidItem, item)
	}
	return cloneItem(item)
}
