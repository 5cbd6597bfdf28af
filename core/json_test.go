package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

const commonKeys = `"event_id":1,"source_event_id":null,"instance_id":"i","execution_id":1,"timestamp_ms":5,"duroxide_version":"0.1.0"`

func TestDecodeErrorNamesFieldAndRule(t *testing.T) {
	t.Parallel()
	application := `{` + commonKeys + `,"type":"ActivityFailed","details":{"Application":%s}}`
	poison := `{` + commonKeys + `,"type":"ActivityFailed","details":{"Poison":{"attempt_count":1,"max_attempts":2,"message_type":%s,"message":""}}}`
	start := `{` + commonKeys + `,"type":"OrchestrationStarted","name":"n","version":"1.0.0","input":"x","carry_forward_events":%s}`
	tests := []struct {
		codec             codec
		text, field, rule string
	}{
		{events, `{`, "", "byte 1: unexpected end, want a key"},
		{events, `{` + commonKeys + `}`, "type", "missing"},
		{events, `{"event_id":1,"source_event_id":null,"instance_id":"i","execution_id":1,"timestamp_ms":5,"type":"OrchestrationCompleted","output":""}`, "duroxide_version", "missing"},
		{events, `{` + commonKeys + `,"type":"FutureEvent"}`, "type", `unknown variant "FutureEvent"`},
		{events, `{` + commonKeys + `,"type":null}`, "type", "want a string, not null"},
		{events, `{` + commonKeys + `,"type":"TimerFired","fire_at_ms":1e3}`, "fire_at_ms", "want an unsigned 64-bit integer"},
		{events, `{` + commonKeys + `,"type":"TimerFired","fire_at_ms":"1"}`, "fire_at_ms", "want an unsigned 64-bit integer, not a string"},
		{events, `{` + commonKeys + `,"type":"TimerFired","Fire_at_ms":1}`, "fire_at_ms", "missing"},
		{events, `{` + commonKeys + `,"type":"ActivityScheduled","name":"n","input":"x","tag":5}`, "tag", "want a string, not a number"},
		{events, `{` + commonKeys + `,"type":"ActivityScheduled","name":"n","input":"x","tag":null,"tag":null}`, "tag", "repeated"},
		{events, `{` + commonKeys + `,"type":"KeyValueSet","key":"k","value":"v","last_updated_at_ms":1,"last_updated_at_ms":1}`, "last_updated_at_ms", "repeated"},
		{events, `{` + commonKeys + `,"type":"ActivityFailed"}`, "details", "missing"},
		{events, `{` + commonKeys + `,"type":"ActivityFailed","details":null}`, "details", "want an object, not null"},
		{events, `{` + commonKeys + `,"type":"ActivityFailed","details":"Poison"}`, "details", "want an object, not a string"},
		{events, `{` + commonKeys + `,"type":"ActivityFailed","details":{},"details":{}}`, "details", "repeated"},
		{events, `{` + commonKeys + `,"type":"ActivityFailed","details":{}}`, "details", "want exactly one variant"},
		{events, `{` + commonKeys + `,"type":"ActivityFailed","details":{"Timeout":{}}}`, "details", `unknown variant "Timeout"`},
		{events, fmt.Sprintf(application, `{"kind":"Other","message":"","retryable":true}`), "details.Application.kind", `unknown variant "Other"`},
		{events, fmt.Sprintf(application, `{"kind":"Panicked","message":"","retryable":1}`), "details.Application.retryable", "want true or false, not a number"},
		{events, fmt.Sprintf(application, `{"kind":"Panicked","message":"","retryable":true},"Poison":1`), "details", "want exactly one variant"},
		{events, fmt.Sprintf(application, `5`), "details.Application", "want an object, not a number"},
		{events, fmt.Sprintf(application, `{"kind":"Cancelled","message":"","retryable":true}`), "details.Application.kind", "variant Cancelled without its reason"},
		{events, fmt.Sprintf(application, `{"kind":{"Cancelled":null},"message":"","retryable":true}`), "details.Application.kind.Cancelled", "want an object, not null"},
		{events, fmt.Sprintf(application, `{"kind":{"Cancelled":{}},"message":"","retryable":true}`), "details.Application.kind.Cancelled.reason", "missing"},
		{events, fmt.Sprintf(application, `{"kind":{"Panicked":{}},"message":"","retryable":true}`), "details.Application.kind.Panicked", "want null, not an object"},
		{events, fmt.Sprintf(application, `{"kind":7,"message":"","retryable":true}`), "details.Application.kind", "want an object, not a number"},
		{events, fmt.Sprintf(poison, `"Activity"`), "details.Poison.message_type", "want an object, not a string"},
		{events, fmt.Sprintf(poison, `{"Queue":{}}`), "details.Poison.message_type", `unknown variant "Queue"`},
		{events, fmt.Sprintf(poison, `{"Activity":{"instance":"i","execution_id":1,"activity_name":"a"}}`), "details.Poison.message_type.Activity.activity_id", "missing"},
		{events, fmt.Sprintf(start, `{}`), "carry_forward_events", "want an array, not an object"},
		{events, fmt.Sprintf(start, `[["a","b"],["c"]]`), "carry_forward_events[1]", "want a pair of strings"},
		{events, fmt.Sprintf(start, `[["a","b","c"]]`), "carry_forward_events[0]", "want a pair of strings"},
		{events, fmt.Sprintf(start, `[["a",5]]`), "carry_forward_events[0]", "want a pair of strings"},
		{events, fmt.Sprintf(start, `[["a",5,"b"]]`), "carry_forward_events[0]", "want a pair of strings"},
		{events, fmt.Sprintf(start, `["ab"]`), "carry_forward_events[0]", "want a pair of strings"},
		{workItems, `{"Future":{}}`, "", `unknown variant "Future"`},
		{workItems, `{}`, "", "want exactly one variant"},
		{workItems, `"CancelInstance"`, "", "want an object, not a string"},
		{workItems, `[]`, "", "want an object, not an array"},
		{workItems, `{"CancelInstance":null}`, "CancelInstance", "want an object, not null"},
		{workItems, `{"CancelInstance":["i","r","x"]}`, "CancelInstance", "want at most 2 elements"},
		{workItems, `{"CancelInstance":["i"]}`, "CancelInstance.reason", "missing"},
		{workItems, `{"CancelInstance":{"instance":"i","reason":"r"},"TimerFired":{}}`, "", "want exactly one variant"},
		{workItems, `{"CancelInstance":{"instance":"i","reason":"r"}} {}`, "", "byte 49: unexpected text after the value"},
		{workItems, `{"ActivityFailed":{"instance":"i","execution_id":1,"id":2,"details":{"Configuration":{"kind":"K","resource":"r"}}}}`, "ActivityFailed.details.Configuration.kind", `unknown variant "K"`},
		{errorDetails, `"Poison"`, "", "want an object, not a string"},
		{errorDetails, `{"Infrastructure":{"operation":"o","message":"m","retryable":true}}x`, "", "byte 67: unexpected text after the value"},
		{errorDetails, `{"Poison":{"attempt_count":4294967296}}`, "Poison.attempt_count", "want an unsigned 32-bit integer"},
		{systemStats, `{"history_event_count":-1}`, "history_event_count", "want an unsigned 64-bit integer"},
	}
	for _, tt := range tests {
		v, err := tt.codec.decode([]byte(tt.text))
		var decodeErr *core.DecodeError
		if !errors.As(err, &decodeErr) || !errors.Is(err, core.ErrUndecodable) {
			t.Errorf("%s\ngave %v, %v, want a DecodeError", tt.text, v, err)
			continue
		}
		if decodeErr.Field != tt.field || decodeErr.Rule != tt.rule {
			t.Errorf("%s\n got field %q, rule %q\nwant field %q, rule %q", tt.text, decodeErr.Field, decodeErr.Rule, tt.field, tt.rule)
		}
	}
}

func TestDecodeErrorText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{` + commonKeys + `}`:             "undecodable event: field type: missing",
		``:                                 "undecodable event: byte 0: unexpected end, want '{'",
		"{\"\xff\":1}":                     "undecodable event: byte 2: invalid UTF-8",
		"{\"a\":\"\x00\"}":                 "undecodable event: byte 6: raw control character in a string",
		`{"a":` + strings.Repeat("[", 127): "undecodable event: byte 132: nested deeper than 127",
	} {
		if _, err := core.DecodeEvent([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// An unknown variant is quoted, but not a whole row of it, and not half a
// character.
func TestDecodeErrorQuotesLittle(t *testing.T) {
	t.Parallel()
	_, err := core.DecodeEvent([]byte(`{` + commonKeys + `,"type":"x` + strings.Repeat("é", 1000) + `"}`))
	if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), `\x`) {
		t.Errorf("got %v", err)
	}
}

// A key that the variant does not have is ignored, whatever its value, even
// when other variants have it.
func TestDecodeIgnoresKeysOfOtherVariants(t *testing.T) {
	t.Parallel()
	text := `{` + commonKeys + `,"type":"ActivityCompleted","name":5,"name":6,"details":null,"result":"r","Result":1,"":{}}`
	e, err := core.DecodeEvent([]byte(text))
	if want := (core.ActivityCompleted{Result: "r"}); err != nil || e.Data != want {
		t.Errorf("got %v, %v", e, err)
	}
	item, err := core.DecodeWorkItem([]byte(`{"CancelInstance":{"id":"x","instance":"i","reason":"r","tag":[]}}`))
	if want := (core.CancelInstanceItem{Instance: "i", Reason: "r"}); err != nil || item != want {
		t.Errorf("got %v, %v", item, err)
	}
}

// jsonb writes text as PostgreSQL's jsonb gives it back: keys by length and
// then bytes, with spaces.
func jsonb(t *testing.T, text string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var write func(any) string
	write = func(v any) string {
		var parts []string
		switch v := v.(type) {
		case map[string]any:
			keys := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
				if len(a) != len(b) {
					return len(a) - len(b)
				}
				return strings.Compare(a, b)
			})
			for _, k := range keys {
				parts = append(parts, write(k)+": "+write(v[k]))
			}
			return "{" + strings.Join(parts, ", ") + "}"
		case []any:
			for _, e := range v {
				parts = append(parts, write(e))
			}
			return "[" + strings.Join(parts, ", ") + "]"
		default:
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	return write(v)
}

func TestDecodeAnyKeyOrder(t *testing.T) {
	t.Parallel()
	for file, c := range map[string]codec{"events.json": events, "work_items.json": workItems, "errors.json": errorDetails} {
		for _, s := range golden[[]sample](t, file) {
			t.Run(file+"/"+s.Name, func(t *testing.T) { c.roundTrip(t, jsonb(t, s.JSON), s.JSON) })
		}
	}
}

// TestDecodePositional gives the fields of each variant as an array, which the
// family's readers take.
func TestDecodePositional(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		codec      codec
		text, want string
	}{
		{
			workItems, `{"StartOrchestration":["i","o","x","1.0.0","p",2,3,1]}`,
			`{"StartOrchestration":{"instance":"i","orchestration":"o","input":"x","version":"1.0.0","parent_instance":"p","parent_id":2,"parent_execution_id":3,"execution_id":1}}`,
		},
		{
			workItems, `{"ActivityExecute":["i",1,2,"n","x","s","t"]}`,
			`{"ActivityExecute":{"instance":"i","execution_id":1,"id":2,"name":"n","input":"x","session_id":"s","tag":"t"}}`,
		},
		{workItems, `{"ActivityCompleted":["i",1,2,"r"]}`, `{"ActivityCompleted":{"instance":"i","execution_id":1,"id":2,"result":"r"}}`},
		{
			workItems, `{"ActivityFailed":["i",1,2,{"Infrastructure":["o","m",true]}]}`,
			`{"ActivityFailed":{"instance":"i","execution_id":1,"id":2,"details":{"Infrastructure":{"operation":"o","message":"m","retryable":true}}}}`,
		},
		{workItems, `{"TimerFired":["i",1,2,3]}`, `{"TimerFired":{"instance":"i","execution_id":1,"id":2,"fire_at_ms":3}}`},
		{workItems, `{"ExternalRaised":["i","n","d"]}`, `{"ExternalRaised":{"instance":"i","name":"n","data":"d"}}`},
		{
			workItems, `{"SubOrchCompleted":["p",1,2,"r"]}`,
			`{"SubOrchCompleted":{"parent_instance":"p","parent_execution_id":1,"parent_id":2,"result":"r"}}`,
		},
		{
			workItems, `{"SubOrchFailed":["p",1,2,{"Configuration":["Nondeterminism","r","m"]}]}`,
			`{"SubOrchFailed":{"parent_instance":"p","parent_execution_id":1,"parent_id":2,"details":{"Configuration":{"kind":"Nondeterminism","resource":"r","message":"m"}}}}`,
		},
		{workItems, `{"CancelInstance":["i","r"]}`, `{"CancelInstance":{"instance":"i","reason":"r"}}`},
		{
			workItems, `{"ContinueAsNew":["i","o","x","1.0.0","p",2,3,[["q","d"]],"s"]}`,
			`{"ContinueAsNew":{"instance":"i","orchestration":"o","input":"x","version":"1.0.0","parent_instance":"p","parent_id":2,"parent_execution_id":3,"carry_forward_events":[["q","d"]],"initial_custom_status":"s"}}`,
		},
		{workItems, `{"QueueMessage":["i","n","d"]}`, `{"QueueMessage":{"instance":"i","name":"n","data":"d"}}`},
		{
			errorDetails, `{"Application":[{"Cancelled":["r"]},"m",true]}`,
			`{"Application":{"kind":{"Cancelled":{"reason":"r"}},"message":"m","retryable":true}}`,
		},
		{
			errorDetails, `{"Poison":[1,2,{"Activity":["i",3,"a",4]},"m"]}`,
			`{"Poison":{"attempt_count":1,"max_attempts":2,"message_type":{"Activity":{"instance":"i","execution_id":3,"activity_name":"a","activity_id":4}},"message":"m"}}`,
		},
		{
			errorDetails, `{"Poison":[1,2,{"Orchestration":["i",3]},"m"]}`,
			`{"Poison":{"attempt_count":1,"max_attempts":2,"message_type":{"Orchestration":{"instance":"i","execution_id":3}},"message":"m"}}`,
		},
		{
			errorDetails, `{"Poison":[1,2,{"FailedDeserialization":["i",3,"e"]},"m"]}`,
			`{"Poison":{"attempt_count":1,"max_attempts":2,"message_type":{"FailedDeserialization":{"instance":"i","execution_id":3,"error":"e"}},"message":"m"}}`,
		},
	} {
		tt.codec.roundTrip(t, tt.text, tt.want)
	}
}

func TestEventDecoderKeepsRepeatedTexts(t *testing.T) {
	// Not parallel: allocations are counted.
	data, err := core.EncodeEvent(benchEvent())
	if err != nil {
		t.Fatal(err)
	}
	want := benchEvent()
	var d core.EventDecoder
	for _, instance := range []string{"a", "a", "b", "", "a"} {
		want.InstanceID = instance
		if data, err = core.AppendEvent(data[:0], want); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Decode(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v\nwant %v", got, err, want)
		}
	}
	fresh := testing.AllocsPerRun(100, func() { _, err = core.DecodeEvent(data) })
	kept := testing.AllocsPerRun(100, func() { _, err = d.Decode(data) })
	if fresh > 5 || kept > 3 || err != nil {
		t.Errorf("allocations: fresh %v, want at most 5; in a history %v, want at most 3; %v", fresh, kept, err)
	}
}

func TestEncodeRefusesWhatNobodyCanDecode(t *testing.T) {
	t.Parallel()
	bad := "a\xffb"
	failed := func(d core.ErrorDetails) core.Event { return core.Event{ID: 1, Data: core.ActivityFailed{Details: d}} }
	application := func(k core.AppErrorKind) core.Event { return failed(core.ApplicationError{Kind: k}) }
	for name, e := range map[string]core.Event{
		"no data":                    {ID: 1},
		"pointer data":               {ID: 1, Data: &core.ActivityCompleted{}},
		"invalid UTF-8 in a field":   {ID: 1, Data: core.ActivityCompleted{Result: bad}},
		"invalid UTF-8 in an id":     {ID: 1, InstanceID: bad, Data: core.KeyValuesCleared{}},
		"invalid UTF-8 in a queue":   {ID: 1, Data: core.OrchestrationStarted{CarryForwardEvents: []core.QueueEvent{{Data: bad}}}},
		"no details":                 failed(nil),
		"pointer details":            failed(&core.InfrastructureError{}),
		"no application kind":        application(core.AppErrorKind{}),
		"unknown application kind":   application(core.AppErrorKind{Name: "Other"}),
		"reason that would be lost":  application(core.AppErrorKind{Name: "Panicked", Reason: "r"}),
		"no configuration kind":      failed(core.ConfigurationError{}),
		"unknown configuration kind": failed(core.ConfigurationError{Kind: "Other"}),
		"no poison message type":     failed(core.PoisonError{}),
		"pointer message type":       failed(core.PoisonError{MessageType: &core.PoisonActivity{}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := core.AppendEvent([]byte("before"), e)
			if string(got) != "before" || !errors.Is(err, core.ErrInvalidArgument) {
				t.Errorf("got %q, %v, want what was there and ErrInvalidArgument", got, err)
			}
			if data, err := core.EncodeEvent(e); err == nil || data != nil {
				t.Errorf("got %q, %v", data, err)
			}
			if failed, ok := e.Data.(core.ActivityFailed); ok {
				got, err := core.AppendErrorDetails([]byte("before"), failed.Details)
				if string(got) != "before" || !errors.Is(err, core.ErrInvalidArgument) {
					t.Errorf("details: got %q, %v, want what was there and ErrInvalidArgument", got, err)
				}
				item := core.ActivityFailedItem{Details: failed.Details}
				if got, err := core.EncodeWorkItem(item); got != nil || !errors.Is(err, core.ErrInvalidItem) {
					t.Errorf("work item: got %q, %v, want ErrInvalidItem", got, err)
				}
			}
		})
	}
	for name, item := range map[string]core.WorkItem{
		"nil":           nil,
		"pointer":       &core.CancelInstanceItem{},
		"no details":    core.SubOrchFailedItem{},
		"invalid UTF-8": core.QueueMessageItem{Instance: bad},
	} {
		got, err := core.AppendWorkItem([]byte("before"), item)
		if string(got) != "before" || !errors.Is(err, core.ErrInvalidItem) {
			t.Errorf("%s: got %q, %v, want what was there and ErrInvalidItem", name, got, err)
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	e := benchEvent()
	one, err := core.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	two, err := core.AppendEvent(append([]byte(nil), one...), e)
	if err != nil || string(two) != string(one)+string(one) {
		t.Errorf("got %s, %v", two, err)
	}
}

func TestEventThroughEncodingJSON(t *testing.T) {
	t.Parallel()
	type row struct{ Event core.Event }
	want := row{benchEvent()}
	want.Event.Data = core.ActivityCompleted{Result: "<b>&\u2028"}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got row
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"Event":null}`), &got); !errors.Is(err, core.ErrUndecodable) {
		t.Errorf("null: %v, want ErrUndecodable", err)
	}
	if _, err := json.Marshal(core.Event{}); !errors.Is(err, core.ErrInvalidArgument) {
		t.Errorf("no data: %v, want ErrInvalidArgument", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("a failed decoding changed the event")
	}
}
