package core

import (
	"fmt"
	"strings"

	"github.com/duroxide/duroxide-go/core/internal/wire"
)

// DecodeError says why stored JSON could not be decoded. It matches
// [ErrUndecodable] with [errors.Is], and quotes nothing of the data but the
// name of an unknown variant.
type DecodeError struct {
	// What was decoded: "event", "work item", "error details" or "system stats".
	What string
	// Field is the path of the field that breaks the rule, such as
	// "details.Application.kind"; empty when it is not about one field.
	Field string
	// Rule says what is wrong.
	Rule string
}

// Error returns a text that names the field and the rule.
func (e *DecodeError) Error() string {
	if e.Field == "" {
		return "undecodable " + e.What + ": " + e.Rule
	}
	return "undecodable " + e.What + ": field " + e.Field + ": " + e.Rule
}

// Unwrap returns [ErrUndecodable].
func (e *DecodeError) Unwrap() error { return ErrUndecodable }

// under returns the error as one of a field below path.
func (e *DecodeError) under(path string) *DecodeError {
	if e.Field != "" {
		path += "." + e.Field
	}
	return &DecodeError{What: e.What, Field: path, Rule: e.Rule}
}

// key is a known key of any stored object. Which of them an object has depends
// on its variant; all others in it are ignored.
type key int

const (
	keyActivityID key = iota
	keyActivityName
	keyAttemptCount
	keyCarryForwardEvents
	keyData
	keyDetails
	keyDuroxideVersion
	keyDxgo
	keyError
	keyEventID
	keyExecutionID
	keyFireAtMs
	keyFirstAttempt
	keyHistoryEventCount
	keyHistorySizeBytes
	keyID
	keyInitialCustomStatus
	keyInput
	keyInstance
	keyInstanceID
	keyKVTotalValueBytes
	keyKVUserKeyCount
	keyKey
	keyKind
	keyLastUpdatedAtMs
	keyMaxAttempts
	keyMessage
	keyMessageType
	keyName
	keyOperation
	keyOrchestration
	keyOutput
	keyParentExecutionID
	keyParentID
	keyParentInstance
	keyQueuePendingCount
	keyReason
	keyRequestID
	keyResource
	keyResult
	keyRetryable
	keySessionID
	keySourceEventID
	keyStatus
	keyTag
	keyTimestampMs
	keyType
	keyValue
	keyVersion
	numKeys
)

var keyNames = [numKeys]string{
	keyActivityID:          "activity_id",
	keyActivityName:        "activity_name",
	keyAttemptCount:        "attempt_count",
	keyCarryForwardEvents:  "carry_forward_events",
	keyData:                "data",
	keyDetails:             "details",
	keyDuroxideVersion:     "duroxide_version",
	keyDxgo:                "dxgo",
	keyError:               "error",
	keyEventID:             "event_id",
	keyExecutionID:         "execution_id",
	keyFireAtMs:            "fire_at_ms",
	keyFirstAttempt:        "first_attempt",
	keyHistoryEventCount:   "history_event_count",
	keyHistorySizeBytes:    "history_size_bytes",
	keyID:                  "id",
	keyInitialCustomStatus: "initial_custom_status",
	keyInput:               "input",
	keyInstance:            "instance",
	keyInstanceID:          "instance_id",
	keyKVTotalValueBytes:   "kv_total_value_bytes",
	keyKVUserKeyCount:      "kv_user_key_count",
	keyKey:                 "key",
	keyKind:                "kind",
	keyLastUpdatedAtMs:     "last_updated_at_ms",
	keyMaxAttempts:         "max_attempts",
	keyMessage:             "message",
	keyMessageType:         "message_type",
	keyName:                "name",
	keyOperation:           "operation",
	keyOrchestration:       "orchestration",
	keyOutput:              "output",
	keyParentExecutionID:   "parent_execution_id",
	keyParentID:            "parent_id",
	keyParentInstance:      "parent_instance",
	keyQueuePendingCount:   "queue_pending_count",
	keyReason:              "reason",
	keyRequestID:           "request_id",
	keyResource:            "resource",
	keyResult:              "result",
	keyRetryable:           "retryable",
	keySessionID:           "session_id",
	keySourceEventID:       "source_event_id",
	keyStatus:              "status",
	keyTag:                 "tag",
	keyTimestampMs:         "timestamp_ms",
	keyType:                "type",
	keyValue:               "value",
	keyVersion:             "version",
}

// lookupKey is a switch, which the compiler turns into a search by length and
// text: faster than a map, and without an allocation.
func lookupKey(name []byte) int {
	var k key
	switch string(name) {
	case "activity_id":
		k = keyActivityID
	case "activity_name":
		k = keyActivityName
	case "attempt_count":
		k = keyAttemptCount
	case "carry_forward_events":
		k = keyCarryForwardEvents
	case "data":
		k = keyData
	case "details":
		k = keyDetails
	case "duroxide_version":
		k = keyDuroxideVersion
	case "dxgo":
		k = keyDxgo
	case "error":
		k = keyError
	case "event_id":
		k = keyEventID
	case "execution_id":
		k = keyExecutionID
	case "fire_at_ms":
		k = keyFireAtMs
	case "first_attempt":
		k = keyFirstAttempt
	case "history_event_count":
		k = keyHistoryEventCount
	case "history_size_bytes":
		k = keyHistorySizeBytes
	case "id":
		k = keyID
	case "initial_custom_status":
		k = keyInitialCustomStatus
	case "input":
		k = keyInput
	case "instance":
		k = keyInstance
	case "instance_id":
		k = keyInstanceID
	case "kv_total_value_bytes":
		k = keyKVTotalValueBytes
	case "kv_user_key_count":
		k = keyKVUserKeyCount
	case "key":
		k = keyKey
	case "kind":
		k = keyKind
	case "last_updated_at_ms":
		k = keyLastUpdatedAtMs
	case "max_attempts":
		k = keyMaxAttempts
	case "message":
		k = keyMessage
	case "message_type":
		k = keyMessageType
	case "name":
		k = keyName
	case "operation":
		k = keyOperation
	case "orchestration":
		k = keyOrchestration
	case "output":
		k = keyOutput
	case "parent_execution_id":
		k = keyParentExecutionID
	case "parent_id":
		k = keyParentID
	case "parent_instance":
		k = keyParentInstance
	case "queue_pending_count":
		k = keyQueuePendingCount
	case "reason":
		k = keyReason
	case "request_id":
		k = keyRequestID
	case "resource":
		k = keyResource
	case "result":
		k = keyResult
	case "retryable":
		k = keyRetryable
	case "session_id":
		k = keySessionID
	case "source_event_id":
		k = keySourceEventID
	case "status":
		k = keyStatus
	case "tag":
		k = keyTag
	case "timestamp_ms":
		k = keyTimestampMs
	case "type":
		k = keyType
	case "value":
		k = keyValue
	case "version":
		k = keyVersion
	default:
		return -1
	}
	return int(k)
}

// reader decodes one object: its members are scanned into slots once, in any
// order, and then taken out by key. The first broken rule stays in err.
type reader struct {
	s     wire.Scanner
	slots [numKeys]wire.Value
	err   *DecodeError
}

func (r *reader) fail(field, rule string) {
	if r.err == nil {
		r.err = &DecodeError{Field: field, Rule: rule}
	}
}

func (r *reader) syntax(err error) {
	if err != nil && r.err == nil {
		r.err = &DecodeError{Rule: err.Error()}
	}
}

const wantUint = "an unsigned"

// reject records why the value of k is not what it has to be.
func (r *reader) reject(k key, want string) {
	switch v := r.slots[k]; {
	case v.Repeated:
		r.fail(keyNames[k], "repeated")
	case v.Kind == wire.Absent:
		r.fail(keyNames[k], "missing")
	case v.Kind == wire.Number && strings.HasPrefix(want, wantUint):
		r.fail(keyNames[k], "want "+want)
	default:
		r.fail(keyNames[k], "want "+want+", not "+v.Kind.String())
	}
}

// object scans the object that is the whole of data.
func (r *reader) object(data []byte) bool {
	err := r.s.Reset(data)
	if err == nil {
		err = r.s.Object(r.slots[:], lookupKey)
	}
	if err == nil {
		err = r.s.End()
	}
	r.syntax(err)
	return r.err == nil
}

// variant scans {"<name>": up to the value and returns the name.
func (r *reader) variant() string {
	if r.s.Peek() != '{' {
		r.other("", "an object")
		return ""
	}
	r.syntax(r.s.Expect('{'))
	if r.s.Peek() == '}' {
		r.fail("", oneVariant)
		return ""
	}
	name, err := r.s.Key()
	if err != nil {
		r.syntax(err)
		return ""
	}
	return r.s.Text(name)
}

const oneVariant = "want exactly one variant"

// bareName scans the name of a variant that is written as a string; false
// when there is no string.
func (r *reader) bareName() (string, bool) {
	if r.s.Peek() != '"' {
		return "", false
	}
	name, err := r.s.Value()
	if err != nil {
		r.syntax(err)
		return "", true
	}
	return r.s.Text(name), true
}

// body scans the value of a variant with fields, and the brace that closes the
// variant. The family's readers also take the fields as an array in their
// order; nobody writes that, but what they accept is accepted here.
func (r *reader) body(name string, fields ...key) {
	if r.err != nil {
		return
	}
	switch r.s.Peek() {
	case '{':
		r.syntax(r.s.Object(r.slots[:], lookupKey))
	case '[':
		r.positional(name, fields)
	default:
		r.other(name, "an object")
	}
	r.closeVariant()
}

// other records that the value of a variant is not what it has to be.
func (r *reader) other(name, want string) {
	v, err := r.s.Value()
	if r.syntax(err); err == nil {
		r.fail(name, "want "+want+", not "+v.Kind.String())
	}
}

func (r *reader) positional(name string, fields []key) {
	array, err := r.s.Value()
	if err != nil {
		r.syntax(err)
		return
	}
	n := 0
	for v := range r.s.Elements(array) {
		if n == len(fields) {
			r.fail(name, fmt.Sprintf("want at most %d elements", n))
			return
		}
		r.slots[fields[n]] = v
		n++
	}
}

// unit scans the null of a variant without fields, and the closing brace.
func (r *reader) unit(name string) {
	if r.err != nil {
		return
	}
	if r.s.Peek() == 'n' {
		_, err := r.s.Value()
		r.syntax(err)
	} else {
		r.other(name, "null")
	}
	r.closeVariant()
}

func (r *reader) closeVariant() {
	switch {
	case r.err != nil:
	case r.s.Peek() == ',':
		r.fail("", oneVariant)
	default:
		r.syntax(r.s.Expect('}'))
	}
}

func (r *reader) str(k key) string {
	v := r.slots[k]
	if v.Kind != wire.String || v.Repeated {
		r.reject(k, "a string")
		return ""
	}
	return r.s.Text(v)
}

// shared is str for a text that is often the same as last time.
func (r *reader) shared(k key, last *string) string {
	v := r.slots[k]
	if v.Kind != wire.String || v.Repeated {
		r.reject(k, "a string")
		return ""
	}
	if text := r.s.Bytes(v); string(text) != *last {
		*last = string(text)
	}
	return *last
}

// tag returns the text of k; it must not be kept.
func (r *reader) tag(k key) []byte {
	v := r.slots[k]
	if v.Kind != wire.String || v.Repeated {
		r.reject(k, "a string")
		return nil
	}
	return r.s.Bytes(v)
}

func (r *reader) bool(k key) bool {
	v := r.slots[k]
	if v.Kind != wire.True && v.Kind != wire.False || v.Repeated {
		r.reject(k, "true or false")
	}
	return v.Kind == wire.True
}

func (r *reader) uint(k key) uint64 { return r.sized(k, 64, wantUint+" 64-bit integer") }

func (r *reader) uint32(k key) uint32 { return uint32(r.sized(k, 32, wantUint+" 32-bit integer")) }

func (r *reader) sized(k key, bits int, want string) uint64 {
	v := r.slots[k]
	n, ok := r.s.Uint(v, bits)
	if !ok || v.Repeated {
		r.reject(k, want)
	}
	return n
}

// null reports whether k is absent or null.
func (r *reader) null(k key) bool {
	v := r.slots[k]
	return v.Kind <= wire.Null && !v.Repeated
}

func (r *reader) optStr(k key) *string {
	if r.null(k) {
		return nil
	}
	s := r.str(k)
	return &s
}

func (r *reader) optUint(k key) *uint64 {
	if r.null(k) {
		return nil
	}
	n := r.uint(k)
	return &n
}

// queueEvents returns a list of pairs; empty but not nil for [].
func (r *reader) queueEvents(k key) []QueueEvent {
	list := r.slots[k]
	if list.Kind != wire.Array || list.Repeated {
		r.reject(k, "an array")
		return nil
	}
	events := []QueueEvent{}
	for pair := range r.s.Elements(list) {
		var text [2]string
		n := 0
		if pair.Kind == wire.Array {
			for v := range r.s.Elements(pair) {
				if n < len(text) && v.Kind == wire.String {
					text[n] = r.s.Text(v)
				} else {
					n = len(text)
				}
				n++
			}
		}
		if n != len(text) {
			r.fail(fmt.Sprintf("%s[%d]", keyNames[k], len(events)), "want a pair of strings")
			return nil
		}
		events = append(events, QueueEvent{Name: text[0], Data: text[1]})
	}
	return events
}

// nested decodes the value of k with f, which is given a reader for it.
func nested[T any](r *reader, k key, f func(*reader) T) T {
	var zero T
	v := r.slots[k]
	if v.Kind == wire.Absent || v.Repeated {
		r.reject(k, "an object")
		return zero
	}
	sub := reader{s: r.s.Sub(v)}
	t := f(&sub)
	if sub.err != nil {
		if r.err == nil {
			r.err = sub.err.under(keyNames[k])
		}
		return zero
	}
	return t
}

// unknownVariant returns the rule that a name is not one of a closed set.
func unknownVariant(name string) string {
	const limit = 100
	if len(name) > limit {
		name = strings.ToValidUTF8(name[:limit], "")
	}
	return fmt.Sprintf("unknown variant %q", name)
}

// done turns what the reader found into the result of a decoder.
func done[T any](r *reader, what string, value T) (T, error) {
	if r.err != nil {
		r.err.What = what
		var zero T
		return zero, r.err
	}
	return value, nil
}
