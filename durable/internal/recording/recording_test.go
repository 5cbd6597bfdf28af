package recording_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
)

func execution(id uint64, data ...core.EventData) recording.Execution {
	e := recording.Execution{Instance: "o1", ID: id, KV: map[string]core.KVEntry{}}
	for i, d := range append([]core.EventData{core.OrchestrationStarted{Name: "checkout", Version: "1.0.0", Input: `{"a":"<&>"}`}}, data...) {
		e.Events = append(e.Events, core.Event{
			ID: uint64(i + 1), InstanceID: "o1", ExecutionID: id, TimestampMs: 7, DuroxideVersion: "0.1.32", Data: d,
		})
	}
	return e
}

func write(t *testing.T, executions ...recording.Execution) string {
	t.Helper()
	var b bytes.Buffer
	for _, e := range executions {
		if err := recording.Write(&b, &e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestFormat(t *testing.T) {
	t.Parallel()
	second := execution(2)
	second.Redacted = true
	second.KV["k"] = core.KVEntry{Value: "v", LastUpdatedAtMs: 9}
	want := []recording.Execution{execution(1, core.ActivityScheduled{Name: "charge"}), second}
	text := write(t, want...)
	const format = `{"format":"duroxide-history/1","instance_id":"o1","execution_id":1,"orchestration_name":"checkout","orchestration_version":"1.0.0","redacted":false,"kv":{},"event_count":2}
{"event_id":1,"source_event_id":null,"instance_id":"o1","execution_id":1,"timestamp_ms":7,"duroxide_version":"0.1.32","type":"OrchestrationStarted","name":"checkout","version":"1.0.0","input":"{\"a\":\"<&>\"}","parent_instance":null,"parent_id":null}
{"event_id":2,"source_event_id":null,"instance_id":"o1","execution_id":1,"timestamp_ms":7,"duroxide_version":"0.1.32","type":"ActivityScheduled","name":"charge","input":""}
{"format":"duroxide-history/1","instance_id":"o1","execution_id":2,"orchestration_name":"checkout","orchestration_version":"1.0.0","redacted":true,"kv":{"k":{"value":"v","last_updated_at_ms":9}},"event_count":1}
{"event_id":1,"source_event_id":null,"instance_id":"o1","execution_id":2,"timestamp_ms":7,"duroxide_version":"0.1.32","type":"OrchestrationStarted","name":"checkout","version":"1.0.0","input":"{\"a\":\"<&>\"}","parent_instance":null,"parent_id":null}
`
	if diff := cmp.Diff(format, text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	// Line ends of other systems and empty lines do no harm.
	for _, text := range []string{text, strings.ReplaceAll(text, "\n", "\r\n\r\n"), strings.TrimSpace(text)} {
		got, err := recording.Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	}
}

// Rust's runtime 0.1.29 records failures so.
func TestEventWithoutOwner(t *testing.T) {
	t.Parallel()
	e := execution(1, core.OrchestrationFailed{Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: "bad"}})
	e.Events[1].InstanceID, e.Events[1].ExecutionID = "", 0
	got, err := recording.Read(strings.NewReader(write(t, e)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]recording.Execution{e}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	good := write(t, execution(1, core.ActivityScheduled{Name: "charge"}))
	header, _, _ := strings.Cut(good, "\n")
	for name, test := range map[string]struct{ text, want string }{
		"nothing":        {"\n\n", "the file is empty"},
		"no JSON":        {"hello", `line 1: not a header of duroxide-history/1: invalid character 'h'`},
		"an event first": {strings.TrimPrefix(good, header), `line 2: the field format must be "duroxide-history/1", the line has none`},
		"a later format": {strings.ReplaceAll(good, "history/1", "history/2"), `line 1: the field format must be "duroxide-history/1", not "duroxide-history/2"`},
		"unknown field":  {strings.ReplaceAll(good, `"redacted"`, `"secret"`), `line 1: header: json: unknown field "secret"`},
		"no events":      {strings.ReplaceAll(good, `"event_count":2`, `"event_count":0`), "line 1: header: the field event_count must be above zero, not 0"},
		"cut off":        {good[:strings.LastIndex(strings.TrimSpace(good), "\n")], "line 2: the file ends after 1 of 2 events"},
		"cut in a line":  {good[:len(good)-5], "line 3: undecodable event: "},
		"too many":       {good + good[strings.LastIndex(strings.TrimSpace(good), "\n"):], "line 5: the field format"},
		"unknown event":  {strings.ReplaceAll(good, "ActivityScheduled", "ActivityDreamt"), "line 3: undecodable event: "},
		"ids":            {strings.ReplaceAll(good, `"event_id":2`, `"event_id":1`), "line 3: event 1 after event 1: ids must ascend"},
		"no start":       {strings.ReplaceAll(good, `"OrchestrationStarted"`, `"ActivityScheduled"`), "the first event is ActivityScheduled, not OrchestrationStarted"},
		"other instance": {strings.Replace(good, `"instance_id":"o1"`, `"instance_id":"o2"`, 1), `event 1 belongs to instance "o1", execution 1, not to "o2", 1`},
		"other version":  {strings.Replace(good, `"1.0.0"`, `"2.0.0"`, 1), "the header names checkout 2.0.0, the first event checkout 1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := recording.Read(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	empty := recording.Execution{Instance: "o1", ID: 1}
	if err := recording.Write(&bytes.Buffer{}, &empty); err == nil || err.Error() != "instance o1, execution 1: no events" {
		t.Errorf("error %v", err)
	}
}

// What is read can be written and is then the same.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	for _, e := range []recording.Execution{execution(1), execution(2, core.TimerCreated{FireAtMs: 3}, core.CustomStatusUpdated{})} {
		if err := recording.Write(&b, &e); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"format":"duroxide-history/1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := recording.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		second, err := recording.Read(strings.NewReader(write(t, first...)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
		for _, e := range first { // a redacted one can be written too
			write(t, recording.Redact(e))
		}
	})
}
