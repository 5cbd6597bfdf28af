package core_test

import (
	"reflect"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

// TestRequestIDOnTheWire: it is in an object that other members ignore, and
// without one nothing is.
func TestRequestIDOnTheWire(t *testing.T) {
	t.Parallel()
	item := core.StartOrchestrationItem{Instance: "i", Orchestration: "o", Input: "x", ExecutionID: 1, RequestID: new("r\"1")}
	const wantItem = `{"StartOrchestration":{"instance":"i","orchestration":"o","input":"x","version":null,"parent_instance":null,"parent_id":null,"execution_id":1,"dxgo":{"request_id":"r\"1"}}}`
	text, err := core.EncodeWorkItem(item)
	if err != nil || string(text) != wantItem {
		t.Errorf("%s, %v; want %s", text, err, wantItem)
	}
	if back, err := core.DecodeWorkItem(text); err != nil || !reflect.DeepEqual(core.WorkItem(item), back) {
		t.Errorf("%+v, %v", back, err)
	}

	ev := core.Event{ID: 1, InstanceID: "i", ExecutionID: 1, DuroxideVersion: "0.1.32", Data: core.OrchestrationStarted{
		Name: "o", Version: "1.0.0", Input: "x", RequestID: new("r1"),
	}}
	const wantEvent = `{"event_id":1,"source_event_id":null,"instance_id":"i","execution_id":1,"timestamp_ms":0,"duroxide_version":"0.1.32","type":"OrchestrationStarted","name":"o","version":"1.0.0","input":"x","parent_instance":null,"parent_id":null,"dxgo":{"request_id":"r1"}}`
	text, err = core.EncodeEvent(ev)
	if err != nil || string(text) != wantEvent {
		t.Errorf("%s, %v; want %s", text, err, wantEvent)
	}
	if back, err := core.DecodeEvent(text); err != nil || !reflect.DeepEqual(ev, back) {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestFirstAttemptOnTheWire: like the request id.
func TestFirstAttemptOnTheWire(t *testing.T) {
	t.Parallel()
	item := core.ActivityExecuteItem{Instance: "i", ExecutionID: 1, ID: 4, Name: "a", Input: "x", FirstAttempt: new(uint64(2))}
	const want = `{"ActivityExecute":{"instance":"i","execution_id":1,"id":4,"name":"a","input":"x","dxgo":{"first_attempt":2}}}`
	text, err := core.EncodeWorkItem(item)
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	if back, err := core.DecodeWorkItem(text); err != nil || !reflect.DeepEqual(core.WorkItem(item), back) {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestStartExtrasOfTheFuture: what a newer member adds is ignored.
func TestStartExtrasOfTheFuture(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dxgo string
		want *string
	}{
		"more keys":       {`{"trace":{"a":[1]},"request_id":"r"}`, new("r")},
		"no request":      {`{"trace":1}`, nil},
		"a null request":  {`{"request_id":null}`, nil},
		"not an object":   {`7`, nil},
		"a null":          {`null`, nil},
		"an empty object": {`{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item, err := core.DecodeWorkItem([]byte(`{"StartOrchestration":{"instance":"i","orchestration":"o","input":"x","execution_id":1,"dxgo":` + tt.dxgo + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := item.(core.StartOrchestrationItem).RequestID; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("request id %v, want %v", got, tt.want)
			}
		})
	}
}
