package core

import (
	"fmt"
	"unicode/utf8"

	"github.com/duroxide/duroxide-go/core/internal/wire"
)

// EncodeWorkItem returns the stored JSON of a work item: exactly the bytes
// that every member of the family writes for it. It refuses nil, what is not
// one of the …Item structs, an invalid error, and invalid UTF-8, with
// [ErrInvalidItem].
func EncodeWorkItem(item WorkItem) ([]byte, error) { return AppendWorkItem(nil, item) }

// AppendWorkItem appends what [EncodeWorkItem] returns to dst. It returns dst
// as it was with an error.
func AppendWorkItem(dst []byte, item WorkItem) ([]byte, error) {
	w := wire.Writer{Buf: dst}
	if w.Buf == nil {
		w.Buf = make([]byte, 0, 384)
	}
	err := writeWorkItem(&w, item)
	if err == nil && !utf8.Valid(w.Buf[len(dst):]) {
		err = errInvalidUTF8
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrInvalidItem, err)
	}
	return w.Buf, nil
}

func writeWorkItem(w *wire.Writer, item WorkItem) error {
	if item == nil {
		return fmt.Errorf("nil")
	}
	var err error
	w.Open()
	w.OpenField(item.ItemType())
	switch i := item.(type) {
	case StartOrchestrationItem:
		w.String("instance", i.Instance)
		w.String("orchestration", i.Orchestration)
		w.String("input", i.Input)
		w.StringOrNull("version", i.Version)
		w.StringOrNull("parent_instance", i.ParentInstance)
		w.UintOrNull("parent_id", i.ParentID)
		w.UintOrSkip("parent_execution_id", i.ParentExecutionID)
		w.Uint("execution_id", i.ExecutionID)
		writeStartExtras(w, i.RequestID)
	case ActivityExecuteItem:
		writeActivityKey(w, i.Instance, i.ExecutionID, i.ID)
		w.String("name", i.Name)
		w.String("input", i.Input)
		w.StringOrSkip("session_id", i.SessionID)
		w.StringOrSkip("tag", i.Tag)
		writeActivityExtras(w, i.FirstAttempt)
	case ActivityCompletedItem:
		writeActivityKey(w, i.Instance, i.ExecutionID, i.ID)
		w.String("result", i.Result)
	case ActivityFailedItem:
		writeActivityKey(w, i.Instance, i.ExecutionID, i.ID)
		err = writeDetails(w, i.Details)
	case TimerFiredItem:
		writeActivityKey(w, i.Instance, i.ExecutionID, i.ID)
		w.Uint("fire_at_ms", i.FireAtMs)
	case ExternalRaisedItem:
		writeDelivery(w, i.Instance, i.Name, i.Data)
	case SubOrchCompletedItem:
		writeParentKey(w, i.ParentInstance, i.ParentExecutionID, i.ParentID)
		w.String("result", i.Result)
	case SubOrchFailedItem:
		writeParentKey(w, i.ParentInstance, i.ParentExecutionID, i.ParentID)
		err = writeDetails(w, i.Details)
	case CancelInstanceItem:
		w.String("instance", i.Instance)
		w.String("reason", i.Reason)
	case ContinueAsNewItem:
		w.String("instance", i.Instance)
		w.String("orchestration", i.Orchestration)
		w.String("input", i.Input)
		w.StringOrNull("version", i.Version)
		w.StringOrSkip("parent_instance", i.ParentInstance)
		w.UintOrSkip("parent_id", i.ParentID)
		w.UintOrSkip("parent_execution_id", i.ParentExecutionID)
		writeQueueEvents(w, i.CarryForwardEvents)
		w.StringOrSkip("initial_custom_status", i.InitialCustomStatus)
	case QueueMessageItem:
		writeDelivery(w, i.Instance, i.Name, i.Data)
	default:
		return fmt.Errorf("type %T: want one of the structs themselves, no pointer", item)
	}
	w.Close()
	w.Close()
	return err
}

func writeActivityKey(w *wire.Writer, instance string, executionID, id uint64) {
	w.String("instance", instance)
	w.Uint("execution_id", executionID)
	w.Uint("id", id)
}

func writeParentKey(w *wire.Writer, instance string, executionID, id uint64) {
	w.String("parent_instance", instance)
	w.Uint("parent_execution_id", executionID)
	w.Uint("parent_id", id)
}

func writeDelivery(w *wire.Writer, instance, name, data string) {
	w.String("instance", instance)
	w.String("name", name)
	w.String("data", data)
}

// DecodeWorkItem decodes the stored JSON of a work item with the rules of
// [DecodeEvent]. It takes what PostgreSQL's jsonb makes of it: other order,
// added spaces. The item shares no memory with data.
func DecodeWorkItem(data []byte) (WorkItem, error) {
	var r reader
	var item WorkItem
	r.syntax(r.s.Reset(data))
	if r.err == nil {
		item = readWorkItem(&r)
	}
	if r.err == nil {
		r.syntax(r.s.End())
	}
	return done(&r, "work item", item)
}

func readWorkItem(r *reader) WorkItem {
	switch name := r.variant(); name {
	case ItemStartOrchestration:
		r.body(name, keyInstance, keyOrchestration, keyInput, keyVersion, keyParentInstance, keyParentID, keyParentExecutionID, keyExecutionID)
		return inVariant(r, name, func() WorkItem {
			return StartOrchestrationItem{
				Instance:          r.str(keyInstance),
				Orchestration:     r.str(keyOrchestration),
				Input:             r.str(keyInput),
				Version:           r.optStr(keyVersion),
				ParentInstance:    r.optStr(keyParentInstance),
				ParentID:          r.optUint(keyParentID),
				ParentExecutionID: r.optUint(keyParentExecutionID),
				ExecutionID:       r.uint(keyExecutionID),
				RequestID:         readStartExtras(r),
			}
		})
	case ItemActivityExecute:
		r.body(name, keyInstance, keyExecutionID, keyID, keyName, keyInput, keySessionID, keyTag)
		return inVariant(r, name, func() WorkItem {
			return ActivityExecuteItem{
				Instance:     r.str(keyInstance),
				ExecutionID:  r.uint(keyExecutionID),
				ID:           r.uint(keyID),
				Name:         r.str(keyName),
				Input:        r.str(keyInput),
				SessionID:    r.optStr(keySessionID),
				Tag:          r.optStr(keyTag),
				FirstAttempt: readActivityExtras(r),
			}
		})
	case ItemActivityCompleted:
		r.body(name, keyInstance, keyExecutionID, keyID, keyResult)
		return inVariant(r, name, func() WorkItem {
			return ActivityCompletedItem{
				Instance:    r.str(keyInstance),
				ExecutionID: r.uint(keyExecutionID),
				ID:          r.uint(keyID),
				Result:      r.str(keyResult),
			}
		})
	case ItemActivityFailed:
		r.body(name, keyInstance, keyExecutionID, keyID, keyDetails)
		return inVariant(r, name, func() WorkItem {
			return ActivityFailedItem{
				Instance:    r.str(keyInstance),
				ExecutionID: r.uint(keyExecutionID),
				ID:          r.uint(keyID),
				Details:     nested(r, keyDetails, readDetails),
			}
		})
	case ItemTimerFired:
		r.body(name, keyInstance, keyExecutionID, keyID, keyFireAtMs)
		return inVariant(r, name, func() WorkItem {
			return TimerFiredItem{
				Instance:    r.str(keyInstance),
				ExecutionID: r.uint(keyExecutionID),
				ID:          r.uint(keyID),
				FireAtMs:    r.uint(keyFireAtMs),
			}
		})
	case ItemExternalRaised:
		r.body(name, keyInstance, keyName, keyData)
		return inVariant(r, name, func() WorkItem {
			return ExternalRaisedItem{Instance: r.str(keyInstance), Name: r.str(keyName), Data: r.str(keyData)}
		})
	case ItemSubOrchCompleted:
		r.body(name, keyParentInstance, keyParentExecutionID, keyParentID, keyResult)
		return inVariant(r, name, func() WorkItem {
			return SubOrchCompletedItem{
				ParentInstance:    r.str(keyParentInstance),
				ParentExecutionID: r.uint(keyParentExecutionID),
				ParentID:          r.uint(keyParentID),
				Result:            r.str(keyResult),
			}
		})
	case ItemSubOrchFailed:
		r.body(name, keyParentInstance, keyParentExecutionID, keyParentID, keyDetails)
		return inVariant(r, name, func() WorkItem {
			return SubOrchFailedItem{
				ParentInstance:    r.str(keyParentInstance),
				ParentExecutionID: r.uint(keyParentExecutionID),
				ParentID:          r.uint(keyParentID),
				Details:           nested(r, keyDetails, readDetails),
			}
		})
	case ItemCancelInstance:
		r.body(name, keyInstance, keyReason)
		return inVariant(r, name, func() WorkItem {
			return CancelInstanceItem{Instance: r.str(keyInstance), Reason: r.str(keyReason)}
		})
	case ItemContinueAsNew:
		r.body(name, keyInstance, keyOrchestration, keyInput, keyVersion, keyParentInstance, keyParentID, keyParentExecutionID,
			keyCarryForwardEvents, keyInitialCustomStatus)
		return inVariant(r, name, func() WorkItem {
			i := ContinueAsNewItem{
				Instance:            r.str(keyInstance),
				Orchestration:       r.str(keyOrchestration),
				Input:               r.str(keyInput),
				Version:             r.optStr(keyVersion),
				ParentInstance:      r.optStr(keyParentInstance),
				ParentID:            r.optUint(keyParentID),
				ParentExecutionID:   r.optUint(keyParentExecutionID),
				InitialCustomStatus: r.optStr(keyInitialCustomStatus),
			}
			if r.slots[keyCarryForwardEvents].Kind != wire.Absent { // may be absent, but not null
				if events := r.queueEvents(keyCarryForwardEvents); len(events) > 0 {
					i.CarryForwardEvents = events
				}
			}
			return i
		})
	case ItemQueueMessage:
		r.body(name, keyInstance, keyName, keyData)
		return inVariant(r, name, func() WorkItem {
			return QueueMessageItem{Instance: r.str(keyInstance), Name: r.str(keyName), Data: r.str(keyData)}
		})
	default:
		r.fail("", unknownVariant(name)) // unless a rule was broken before
		return nil
	}
}
