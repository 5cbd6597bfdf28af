package golden_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// directory is where the recorded runs are, unless the variable
	// DUROXIDE_GOLDEN_HISTORIES names another one.
	directory    = "../../core/testdata/golden/histories"
	directoryEnv = "DUROXIDE_GOLDEN_HISTORIES"
	// strictEnv makes a file without a twin a failure.
	strictEnv = "DUROXIDE_GOLDEN_STRICT"
)

// recording is a recorded run.
type recording struct {
	Name        string
	Description string
	Varies      []string
	instance
	Related []instance `json:"related_instances"`
	Turns   []turn
}

// instance is how one instance ended.
type instance struct {
	Instance     string
	ClientStatus struct {
		Kind                string
		Output              *string
		Details             json.RawMessage
		CustomStatus        *string `json:"custom_status"`
		CustomStatusVersion uint64  `json:"custom_status_version"`
	} `json:"client_status"`
	ClientKV   map[string]string `json:"client_kv"`
	Executions []struct {
		ID     uint64
		Status string
		Output *string
		Events []event
	}
}

// turn is what was fetched, and what was stored in answer.
type turn struct {
	Fetched struct {
		Instance             string
		OrchestrationName    string   `json:"orchestration_name"`
		OrchestrationVersion string   `json:"orchestration_version"`
		ExecutionID          uint64   `json:"execution_id"`
		AttemptCount         uint32   `json:"attempt_count"`
		HistoryEventIDs      []uint64 `json:"history_event_ids"`
		KVSnapshot           map[string]struct {
			Value           string
			LastUpdatedAtMs uint64 `json:"last_updated_at_ms"`
		} `json:"kv_snapshot"`
		Messages []item
	}
	Ack *struct {
		ExecutionID       uint64  `json:"execution_id"`
		HistoryDelta      []event `json:"history_delta"`
		WorkerItems       []item  `json:"worker_items"`
		OrchestratorItems []item  `json:"orchestrator_items"`
		Metadata          struct {
			Status                *string
			Output                *string
			OrchestrationName     *string `json:"orchestration_name"`
			OrchestrationVersion  *string `json:"orchestration_version"`
			ParentInstanceID      *string `json:"parent_instance_id"`
			PinnedDuroxideVersion *string `json:"pinned_duroxide_version"`
		}
		CancelledActivities []struct {
			Instance    string
			ExecutionID uint64 `json:"execution_id"`
			ActivityID  uint64 `json:"activity_id"`
		} `json:"cancelled_activities"`
	}
	Abandon *struct {
		DelayMs       int64 `json:"delay_ms"`
		IgnoreAttempt bool  `json:"ignore_attempt"`
	}
}

// event and item are stored in their wire form.
type (
	event struct{ core.Event }
	item  struct{ core.WorkItem }
)

func (e *event) UnmarshalJSON(raw []byte) (err error) {
	e.Event, err = core.DecodeEvent(raw)
	return err
}

func (i *item) UnmarshalJSON(raw []byte) (err error) {
	i.WorkItem, err = core.DecodeWorkItem(raw)
	return err
}

func events(recorded []event) (all []core.Event) {
	for _, e := range recorded {
		all = append(all, e.Event)
	}
	return all
}

func items(recorded []item) (all []core.WorkItem) {
	for _, i := range recorded {
		all = append(all, i.WorkItem)
	}
	return all
}

// forEachRecording runs a test on every recorded run that has a twin.
func forEachRecording(t *testing.T, test func(*testing.T, *recording)) {
	t.Helper()
	dir := directory
	if d := os.Getenv(directoryEnv); d != "" {
		dir = d
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden histories in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			r := load(t, file)
			for _, turn := range r.Turns {
				name := turn.Fetched.OrchestrationName
				if twins[name] != nil || name == "NoSuchOrchestration" {
					continue
				}
				const skip = "no Go twin of orchestration %s: %s"
				if os.Getenv(strictEnv) == "1" {
					t.Fatalf(skip, name, r.Description)
				}
				t.Skipf(skip, name, r.Description)
			}
			test(t, r)
		})
	}
}

func load(t *testing.T, file string) *recording {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	var r recording
	must(t, json.Unmarshal(raw, &r))
	return &r
}

// fetched is what a turn began with, history being all that is stored of the
// execution.
func (u *turn) fetched(history []core.Event) *core.OrchestrationItem {
	f := u.Fetched
	got := &core.OrchestrationItem{
		Instance: f.Instance, OrchestrationName: f.OrchestrationName, Version: f.OrchestrationVersion, ExecutionID: f.ExecutionID,
		AttemptCount: f.AttemptCount, KVSnapshot: map[string]core.KVEntry{}, Messages: items(f.Messages),
	}
	for _, e := range history {
		if slices.Contains(f.HistoryEventIDs, e.ID) {
			got.History = append(got.History, e)
		}
	}
	for k, v := range f.KVSnapshot {
		got.KVSnapshot[k] = core.KVEntry{Value: v.Value, LastUpdatedAtMs: v.LastUpdatedAtMs}
	}
	return got
}

// notRecorded leaves out what only the Go members of the family store: which attempt
// of a call was the first one.
var notRecorded = cmpopts.IgnoreFields(core.ActivityExecuteItem{}, "FirstAttempt")

// answer is what a turn stored: one of the two.
type answer struct {
	Ack     *core.AckOrchestrationItemParams
	Abandon *core.AbandonParams
}

// answer is the recorded one.
func (u *turn) answer() (want answer) {
	if u.Abandon != nil {
		want.Abandon = &core.AbandonParams{Delay: time.Duration(u.Abandon.DelayMs) * time.Millisecond, IgnoreAttempt: u.Abandon.IgnoreAttempt}
	}
	if u.Ack == nil {
		return want
	}
	want.Ack = &core.AckOrchestrationItemParams{
		ExecutionID: u.Ack.ExecutionID, HistoryDelta: events(u.Ack.HistoryDelta),
		WorkerItems: items(u.Ack.WorkerItems), OrchestratorItems: items(u.Ack.OrchestratorItems),
	}
	recorded, m := u.Ack.Metadata, &want.Ack.Metadata
	if recorded.Status != nil {
		m.Status = core.ExecutionStatus(*recorded.Status)
	}
	m.Output, m.ParentInstanceID = recorded.Output, recorded.ParentInstanceID
	m.OrchestrationName, m.OrchestrationVersion = recorded.OrchestrationName, recorded.OrchestrationVersion
	if v := recorded.PinnedDuroxideVersion; v != nil {
		m.PinnedDuroxideVersion = new(core.MustParseVersion(*v))
	}
	for _, c := range u.Ack.CancelledActivities {
		want.Ack.CancelledActivities = append(want.Ack.CancelledActivities, core.ActivityIdentifier(c))
	}
	return want
}
