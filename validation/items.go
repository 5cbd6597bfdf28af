package validation

import "github.com/duroxide/duroxide-go/core"

// What the events of the suite are stamped with.
const (
	stamp     = "0.1.32"
	stampedAt = 1_700_000_000_123
)

// start is the start message of the suite.
func start(instance string) core.StartOrchestrationItem {
	return core.StartOrchestrationItem{
		Instance: instance, Orchestration: "TestOrch", Input: "{}", Version: ptr("1.0.0"), ExecutionID: 1,
	}
}

func raised(instance, name string) core.ExternalRaisedItem {
	return core.ExternalRaisedItem{Instance: instance, Name: name, Data: "{}"}
}

func queued(instance, data string) core.QueueMessageItem {
	return core.QueueMessageItem{Instance: instance, Name: "inbox", Data: data}
}

func activity(instance string, id uint64) core.ActivityExecuteItem {
	return core.ActivityExecuteItem{Instance: instance, ExecutionID: 1, ID: id, Name: "TestActivity", Input: "{}"}
}

// completed is the completion of activity.
func completed(instance string, id uint64) core.ActivityCompletedItem {
	return core.ActivityCompletedItem{Instance: instance, ExecutionID: 1, ID: id, Result: "done"}
}

func identify(a core.ActivityExecuteItem) core.ActivityIdentifier {
	return core.ActivityIdentifier{Instance: a.Instance, ExecutionID: a.ExecutionID, ActivityID: a.ID}
}

// event is an event of the first execution.
func event(instance string, id uint64, data core.EventData) core.Event {
	return eventOf(instance, 1, id, data)
}

// eventOf is an event of any execution.
func eventOf(instance string, exec, id uint64, data core.EventData) core.Event {
	return core.Event{
		ID: id, InstanceID: instance, ExecutionID: exec,
		TimestampMs: stampedAt, DuroxideVersion: stamp, Data: data,
	}
}

// eventsOf numbers events of an execution from an id.
func eventsOf(instance string, exec, from uint64, data ...core.EventData) []core.Event {
	list := make([]core.Event, len(data))
	for i, d := range data {
		list[i] = eventOf(instance, exec, from+uint64(i), d)
	}
	return list
}

// started is the first event of an execution.
func started(instance string, exec uint64) core.Event {
	return eventOf(instance, exec, 1, core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "{}"})
}

// named is metadata that creates the instance.
func named(name, version string) core.ExecutionMetadata {
	return core.ExecutionMetadata{OrchestrationName: &name, OrchestrationVersion: &version}
}

// withStatus adds a status to metadata.
func withStatus(m core.ExecutionMetadata, status core.ExecutionStatus) core.ExecutionMetadata {
	m.Status = status
	return m
}

func ptr[T any](v T) *T { return &v }

// set is the event that sets a key.
func set(key, value string) core.KeyValueSet {
	return core.KeyValueSet{Key: key, Value: value, LastUpdatedAtMs: stampedAt}
}
