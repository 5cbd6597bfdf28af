package core

import (
	"fmt"
	"unicode/utf8"

	"github.com/duroxide/duroxide-go/core/internal/wire"
)

// EncodeEvent returns the stored JSON of an event: exactly the bytes that
// every member of the family writes for it. It refuses what a reader would
// refuse: missing or foreign data, an invalid error kind, invalid UTF-8.
func EncodeEvent(e Event) ([]byte, error) { return AppendEvent(nil, e) }

// AppendEvent appends what [EncodeEvent] returns to dst. It returns dst as it
// was with an error.
func AppendEvent(dst []byte, e Event) ([]byte, error) {
	w := wire.Writer{Buf: dst}
	if w.Buf == nil {
		w.Buf = make([]byte, 0, 512)
	}
	w.Open()
	w.Uint("event_id", e.ID)
	w.UintOrNull("source_event_id", e.SourceID)
	w.String("instance_id", e.InstanceID)
	w.Uint("execution_id", e.ExecutionID)
	w.Uint("timestamp_ms", e.TimestampMs)
	w.String("duroxide_version", e.DuroxideVersion)
	err := writeEventData(&w, e.Data)
	w.Close()
	if err == nil && !utf8.Valid(w.Buf[len(dst):]) {
		err = errInvalidUTF8
	}
	if err != nil {
		return dst, fmt.Errorf("event %d: %w: %w", e.ID, ErrInvalidArgument, err)
	}
	return w.Buf, nil
}

func writeEventData(w *wire.Writer, data EventData) error {
	if data == nil {
		return fmt.Errorf("no data")
	}
	w.String("type", data.EventType())
	switch d := data.(type) {
	case OrchestrationStarted:
		w.String("name", d.Name)
		w.String("version", d.Version)
		w.String("input", d.Input)
		w.StringOrNull("parent_instance", d.ParentInstance)
		w.UintOrNull("parent_id", d.ParentID)
		w.UintOrSkip("parent_execution_id", d.ParentExecutionID)
		if d.CarryForwardEvents != nil {
			writeQueueEvents(w, d.CarryForwardEvents)
		}
		w.StringOrSkip("initial_custom_status", d.InitialCustomStatus)
		writeStartExtras(w, d.RequestID)
	case OrchestrationCompleted:
		w.String("output", d.Output)
	case OrchestrationFailed:
		return writeDetails(w, d.Details)
	case OrchestrationContinuedAsNew:
		w.String("input", d.Input)
	case OrchestrationCancelRequested:
		w.String("reason", d.Reason)
	case ActivityScheduled:
		w.String("name", d.Name)
		w.String("input", d.Input)
		w.StringOrSkip("session_id", d.SessionID)
		w.StringOrSkip("tag", d.Tag)
	case ActivityCompleted:
		w.String("result", d.Result)
	case ActivityFailed:
		return writeDetails(w, d.Details)
	case ActivityCancelRequested:
		w.String("reason", d.Reason)
	case TimerCreated:
		w.Uint("fire_at_ms", d.FireAtMs)
	case TimerFired:
		w.Uint("fire_at_ms", d.FireAtMs)
	case ExternalSubscribed:
		w.String("name", d.Name)
	case ExternalEvent:
		w.String("name", d.Name)
		w.String("data", d.Data)
	case ExternalSubscribedCancelled:
		w.String("reason", d.Reason)
	case QueueSubscribed:
		w.String("name", d.Name)
	case QueueEventDelivered:
		w.String("name", d.Name)
		w.String("data", d.Data)
	case QueueSubscriptionCancelled:
		w.String("reason", d.Reason)
	case OrchestrationChained:
		writeStartedChild(w, d.Name, d.Instance, d.Input)
	case SubOrchestrationScheduled:
		writeStartedChild(w, d.Name, d.Instance, d.Input)
	case SubOrchestrationCompleted:
		w.String("result", d.Result)
	case SubOrchestrationFailed:
		return writeDetails(w, d.Details)
	case SubOrchestrationCancelRequested:
		w.String("reason", d.Reason)
	case CustomStatusUpdated:
		w.StringOrNull("status", d.Status)
	case KeyValueSet:
		w.String("key", d.Key)
		w.String("value", d.Value)
		w.Uint("last_updated_at_ms", d.LastUpdatedAtMs)
	case KeyValueCleared:
		w.String("key", d.Key)
	case KeyValuesCleared:
	default:
		return fmt.Errorf("data of type %T: want one of the structs themselves, no pointer", data)
	}
	return nil
}

func writeStartedChild(w *wire.Writer, name, instance, input string) {
	w.String("name", name)
	w.String("instance", instance)
	w.String("input", input)
}

func writeQueueEvents(w *wire.Writer, events []QueueEvent) {
	w.Key("carry_forward_events")
	w.Buf = append(w.Buf, '[')
	for i, e := range events {
		if i > 0 {
			w.Buf = append(w.Buf, ',')
		}
		w.Buf = append(w.Buf, '[')
		w.Buf = wire.AppendString(w.Buf, e.Name)
		w.Buf = append(w.Buf, ',')
		w.Buf = wire.AppendString(w.Buf, e.Data)
		w.Buf = append(w.Buf, ']')
	}
	w.Buf = append(w.Buf, ']')
}

// DecodeEvent decodes the stored JSON of an event, with its keys in any order.
// It is strict: unknown keys are ignored, but an unknown type, a missing,
// repeated or ill-typed field, an integer out of range, a lone surrogate and
// text after the value are errors. Every error is a [DecodeError]. The event
// shares no memory with data.
func DecodeEvent(data []byte) (Event, error) {
	var d EventDecoder
	return d.Decode(data)
}

// EventDecoder decodes the events of a history: as [DecodeEvent] does, but the
// instance id and the version stamp are kept once for as long as they repeat,
// which saves two allocations an event. The zero value is ready to use. It
// must not be used concurrently.
type EventDecoder struct{ instance, version string }

// Decode decodes one event.
func (d *EventDecoder) Decode(data []byte) (Event, error) {
	var r reader
	if !r.object(data) {
		return done(&r, "event", Event{})
	}
	e := Event{
		ID:              r.uint(keyEventID),
		SourceID:        r.optUint(keySourceEventID),
		InstanceID:      r.shared(keyInstanceID, &d.instance),
		ExecutionID:     r.uint(keyExecutionID),
		TimestampMs:     r.uint(keyTimestampMs),
		DuroxideVersion: r.shared(keyDuroxideVersion, &d.version),
	}
	if tag := r.tag(keyType); r.err == nil {
		e.Data = readEventData(&r, tag)
	}
	return done(&r, "event", e)
}

func readEventData(r *reader, tag []byte) EventData {
	switch string(tag) {
	case TypeOrchestrationStarted:
		d := OrchestrationStarted{
			Name:                r.str(keyName),
			Version:             r.str(keyVersion),
			Input:               r.str(keyInput),
			ParentInstance:      r.optStr(keyParentInstance),
			ParentID:            r.optUint(keyParentID),
			ParentExecutionID:   r.optUint(keyParentExecutionID),
			InitialCustomStatus: r.optStr(keyInitialCustomStatus),
			RequestID:           readStartExtras(r),
		}
		if !r.null(keyCarryForwardEvents) {
			d.CarryForwardEvents = r.queueEvents(keyCarryForwardEvents)
		}
		return d
	case TypeOrchestrationCompleted:
		return OrchestrationCompleted{Output: r.str(keyOutput)}
	case TypeOrchestrationFailed:
		return OrchestrationFailed{Details: nested(r, keyDetails, readDetails)}
	case TypeOrchestrationContinuedAsNew:
		return OrchestrationContinuedAsNew{Input: r.str(keyInput)}
	case TypeOrchestrationCancelRequested:
		return OrchestrationCancelRequested{Reason: r.str(keyReason)}
	case TypeActivityScheduled:
		return ActivityScheduled{
			Name:      r.str(keyName),
			Input:     r.str(keyInput),
			SessionID: r.optStr(keySessionID),
			Tag:       r.optStr(keyTag),
		}
	case TypeActivityCompleted:
		return ActivityCompleted{Result: r.str(keyResult)}
	case TypeActivityFailed:
		return ActivityFailed{Details: nested(r, keyDetails, readDetails)}
	case TypeActivityCancelRequested:
		return ActivityCancelRequested{Reason: r.str(keyReason)}
	case TypeTimerCreated:
		return TimerCreated{FireAtMs: r.uint(keyFireAtMs)}
	case TypeTimerFired:
		return TimerFired{FireAtMs: r.uint(keyFireAtMs)}
	case TypeExternalSubscribed:
		return ExternalSubscribed{Name: r.str(keyName)}
	case TypeExternalEvent:
		return ExternalEvent{Name: r.str(keyName), Data: r.str(keyData)}
	case TypeExternalSubscribedCancelled:
		return ExternalSubscribedCancelled{Reason: r.str(keyReason)}
	case TypeQueueSubscribed:
		return QueueSubscribed{Name: r.str(keyName)}
	case TypeQueueEventDelivered:
		return QueueEventDelivered{Name: r.str(keyName), Data: r.str(keyData)}
	case TypeQueueSubscriptionCancelled:
		return QueueSubscriptionCancelled{Reason: r.str(keyReason)}
	case TypeOrchestrationChained:
		return OrchestrationChained{Name: r.str(keyName), Instance: r.str(keyInstance), Input: r.str(keyInput)}
	case TypeSubOrchestrationScheduled:
		return SubOrchestrationScheduled{Name: r.str(keyName), Instance: r.str(keyInstance), Input: r.str(keyInput)}
	case TypeSubOrchestrationCompleted:
		return SubOrchestrationCompleted{Result: r.str(keyResult)}
	case TypeSubOrchestrationFailed:
		return SubOrchestrationFailed{Details: nested(r, keyDetails, readDetails)}
	case TypeSubOrchestrationCancelRequested:
		return SubOrchestrationCancelRequested{Reason: r.str(keyReason)}
	case TypeCustomStatusUpdated:
		return CustomStatusUpdated{Status: r.optStr(keyStatus)}
	case TypeKeyValueSet:
		d := KeyValueSet{Key: r.str(keyKey), Value: r.str(keyValue)}
		if r.slots[keyLastUpdatedAtMs].Kind != wire.Absent { // may be absent, but not null
			d.LastUpdatedAtMs = r.uint(keyLastUpdatedAtMs)
		}
		return d
	case TypeKeyValueCleared:
		return KeyValueCleared{Key: r.str(keyKey)}
	case TypeKeyValuesCleared:
		return KeyValuesCleared{}
	}
	r.fail(keyNames[keyType], unknownVariant(string(tag)))
	return nil
}

// MarshalJSON implements [encoding/json.Marshaler]. Note that json.Marshal
// escapes <, >, & and two separators in what it returns: storage wants
// [EncodeEvent].
func (e Event) MarshalJSON() ([]byte, error) { return EncodeEvent(e) }

// UnmarshalJSON implements [encoding/json.Unmarshaler] with the rules of
// [DecodeEvent]; null is an error.
func (e *Event) UnmarshalJSON(data []byte) error {
	decoded, err := DecodeEvent(data)
	if err == nil {
		*e = decoded
	}
	return err
}
