package pgprovider

import (
	"encoding/json"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// encodeItem checks and encodes one message.
func encodeItem(field string, item core.WorkItem) (string, error) {
	if item == nil {
		return "", fmt.Errorf("%w: %s is nil", core.ErrInvalidItem, field)
	}
	field += "." + item.ItemType()
	if err := checkItemIDs(field, item); err != nil {
		return "", err
	}
	encoded, err := core.EncodeWorkItem(item)
	if err := checkEncoded(field, encoded, err, item); err != nil {
		return "", err
	}
	return string(encoded), nil
}

// encodeItems returns a JSON array, never null.
func encodeItems(field string, items []core.WorkItem) (string, error) {
	if len(items) == 0 {
		return "[]", nil
	}
	array := []byte{'['}
	for i, item := range items {
		// The function reads the due time as it is and cannot take all values.
		if timer, ok := item.(core.TimerFiredItem); ok && timer.FireAtMs > maxTimestampMs {
			timer.FireAtMs = maxTimestampMs
			item = timer
		}
		encoded, err := encodeItem(fmt.Sprintf("%s[%d]", field, i), item)
		if err != nil {
			return "", err
		}
		if i > 0 {
			array = append(array, ',')
		}
		array = append(array, encoded...)
	}
	return string(append(array, ']')), nil
}

// historyRow is an element of a history argument.
type historyRow struct {
	EventID   uint64 `json:"event_id"`
	EventType string `json:"event_type"`
	EventData string `json:"event_data"`
}

// encodeEvents returns a JSON array, never null.
func encodeEvents(field string, events []core.Event) (string, error) {
	if len(events) == 0 {
		return "[]", nil
	}
	rows := make([]historyRow, len(events))
	for i, e := range events {
		if e.ID == 0 {
			return "", invalid("%s[%d]: event_id must be set by the runtime", field, i)
		}
		if err := checkID(fmt.Sprintf("%s[%d].ID", field, i), e.ID); err != nil {
			return "", err
		}
		if e.Data == nil {
			return "", invalid("%s[%d].Data is nil", field, i)
		}
		encoded, err := core.EncodeEvent(e)
		if err := checkEncoded(fmt.Sprintf("%s[%d]", field, i), encoded, err, e); err != nil {
			return "", err
		}
		rows[i] = historyRow{EventID: e.ID, EventType: e.Data.EventType(), EventData: string(encoded)}
	}
	return marshal(rows)
}

// metadata is the argument of that name of the acknowledgement. Absent and null
// are the same, except that kv_mutations must not be null.
type metadata struct {
	Name         *string        `json:"orchestration_name,omitempty"`
	Version      *string        `json:"orchestration_version,omitempty"`
	Status       string         `json:"status,omitempty"`
	Output       *string        `json:"output,omitempty"`
	Parent       *string        `json:"parent_instance_id,omitempty"`
	Pinned       *pinnedVersion `json:"pinned_duroxide_version,omitempty"`
	StatusAction string         `json:"custom_status_action,omitempty"`
	StatusValue  *string        `json:"custom_status_value,omitempty"`
	KVMutations  []kvMutation   `json:"kv_mutations,omitempty"`
}

type pinnedVersion struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Patch uint64 `json:"patch"`
}

type kvMutation struct {
	Action        string  `json:"action"`
	Key           *string `json:"key,omitempty"`
	Value         *string `json:"value,omitempty"`
	LastUpdatedMs *uint64 `json:"last_updated_at_ms,omitempty"`
}

// encodeMetadata combines the metadata of a turn with what its history says
// about custom status and key-values. The texts of the history were checked
// with it.
func encodeMetadata(m core.ExecutionMetadata, delta []core.Event) (string, error) {
	for _, text := range []struct {
		field string
		value *string
	}{
		{"Metadata.OrchestrationName", m.OrchestrationName},
		{"Metadata.OrchestrationVersion", m.OrchestrationVersion},
		{"Metadata.ParentInstanceID", m.ParentInstanceID},
		{"Metadata.Output", m.Output},
	} {
		if err := checkTextPtr(text.field, text.value); err != nil {
			return "", err
		}
	}
	if err := checkText("Metadata.Status", string(m.Status)); err != nil {
		return "", err
	}
	doc := metadata{
		Name: m.OrchestrationName, Version: m.OrchestrationVersion,
		Status: string(m.Status), Output: m.Output, Parent: m.ParentInstanceID,
	}
	if v := m.PinnedDuroxideVersion; v != nil {
		if err := checkPin(*v); err != nil {
			return "", err
		}
		doc.Pinned = &pinnedVersion{v.Major, v.Minor, v.Patch}
	}
	for i := range delta {
		switch e := delta[i].Data.(type) {
		case core.CustomStatusUpdated:
			doc.StatusAction, doc.StatusValue = "set", e.Status // the last one counts
			if e.Status == nil {
				doc.StatusAction = "clear"
			}
		case core.KeyValueSet:
			if err := checkID(fmt.Sprintf("HistoryDelta[%d].KeyValueSet.LastUpdatedAtMs", i), e.LastUpdatedAtMs); err != nil {
				return "", err
			}
			doc.KVMutations = append(doc.KVMutations,
				kvMutation{Action: "set", Key: &e.Key, Value: &e.Value, LastUpdatedMs: &e.LastUpdatedAtMs})
		case core.KeyValueCleared:
			doc.KVMutations = append(doc.KVMutations, kvMutation{Action: "clear_key", Key: &e.Key})
		case core.KeyValuesCleared:
			doc.KVMutations = append(doc.KVMutations, kvMutation{Action: "clear_all"})
		}
	}
	return marshal(doc)
}

type cancelledActivity struct {
	ExecutionID uint64 `json:"execution_id"`
	ActivityID  uint64 `json:"activity_id"`
}

// encodeCancelled returns a JSON array, never null. The function takes the
// instance from the lock.
func encodeCancelled(ids []core.ActivityIdentifier) (string, error) {
	rows := make([]cancelledActivity, len(ids))
	for i, id := range ids {
		field := fmt.Sprintf("CancelledActivities[%d]", i)
		if err := checkIDs(field, "ExecutionID", id.ExecutionID, "ActivityID", id.ActivityID); err != nil {
			return "", err
		}
		rows[i] = cancelledActivity{id.ExecutionID, id.ActivityID}
	}
	return marshal(rows)
}

func marshal(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}
