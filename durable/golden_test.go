package durable

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/dispatch"
)

// goldenHistories is where the recorded runs are, unless the variable
// DUROXIDE_GOLDEN_HISTORIES names another directory.
const goldenHistories = "../core/testdata/golden/histories"

// goldenRun is a recorded run of the family's first runtime.
type goldenRun struct {
	Name        string
	Description string
	Varies      []string
	Turns       []struct {
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
			Messages []json.RawMessage
		}
		Ack *struct {
			ExecutionID       uint64            `json:"execution_id"`
			HistoryDelta      []json.RawMessage `json:"history_delta"`
			WorkerItems       []json.RawMessage `json:"worker_items"`
			OrchestratorItems []json.RawMessage `json:"orchestrator_items"`
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
}

// turnResult is what of a turn is compared, recorded or produced.
type turnResult struct {
	Ack     *core.AckOrchestrationItemParams
	Abandon *core.AbandonParams
}

// TestGoldenHistories gives the engine, turn by turn, what the recording
// runtime fetched, and compares what comes out with what that runtime stored:
// every event, work item and cancellation, except what the file says varies.
func TestGoldenHistories(t *testing.T) {
	dir := goldenHistories
	if d := os.Getenv("DUROXIDE_GOLDEN_HISTORIES"); d != "" {
		dir = d
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden histories in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			replayGolden(t, file)
		})
	}
}

func replayGolden(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var run goldenRun
	if err := json.Unmarshal(raw, &run); err != nil {
		t.Fatal(err)
	}
	for _, turn := range run.Turns {
		name := turn.Fetched.OrchestrationName
		if goldenTwins[name] != nil || name == "NoSuchOrchestration" {
			continue
		}
		const skip = "no Go twin of orchestration %s: %s"
		if os.Getenv("DUROXIDE_GOLDEN_STRICT") == "1" {
			t.Fatalf(skip, name, run.Description)
		}
		t.Skipf(skip, name, run.Description)
	}

	history := map[string][]core.Event{}
	for i, turn := range run.Turns {
		key := fmt.Sprint(turn.Fetched.Instance, "#", turn.Fetched.ExecutionID)
		item := &core.OrchestrationItem{
			Instance:          turn.Fetched.Instance,
			OrchestrationName: turn.Fetched.OrchestrationName,
			Version:           turn.Fetched.OrchestrationVersion,
			ExecutionID:       turn.Fetched.ExecutionID,
			AttemptCount:      turn.Fetched.AttemptCount,
			LockToken:         "token",
			KVSnapshot:        map[string]core.KVEntry{},
			Messages:          decodeItems(t, turn.Fetched.Messages),
		}
		for _, ev := range history[key] {
			if slices.Contains(turn.Fetched.HistoryEventIDs, ev.ID) {
				item.History = append(item.History, ev)
			}
		}
		if len(item.History) != len(turn.Fetched.HistoryEventIDs) {
			t.Fatalf("turn %d: the file's own history is incomplete", i)
		}
		for k, v := range turn.Fetched.KVSnapshot {
			item.KVSnapshot[k] = core.KVEntry{Value: v.Value, LastUpdatedAtMs: v.LastUpdatedAtMs}
		}

		var want turnResult
		if turn.Abandon != nil {
			want.Abandon = &core.AbandonParams{LockToken: "token", Delay: time.Duration(turn.Abandon.DelayMs) * time.Millisecond, IgnoreAttempt: turn.Abandon.IgnoreAttempt}
		}
		if a := turn.Ack; a != nil {
			want.Ack = &core.AckOrchestrationItemParams{
				LockToken: "token", ExecutionID: a.ExecutionID,
				HistoryDelta: decodeEvents(t, a.HistoryDelta),
				WorkerItems:  decodeItems(t, a.WorkerItems), OrchestratorItems: decodeItems(t, a.OrchestratorItems),
			}
			m := &want.Ack.Metadata
			if a.Metadata.Status != nil {
				m.Status = core.ExecutionStatus(*a.Metadata.Status)
			}
			m.Output, m.ParentInstanceID = a.Metadata.Output, a.Metadata.ParentInstanceID
			m.OrchestrationName, m.OrchestrationVersion = a.Metadata.OrchestrationName, a.Metadata.OrchestrationVersion
			if v := a.Metadata.PinnedDuroxideVersion; v != nil {
				m.PinnedDuroxideVersion = new(core.MustParseVersion(*v))
			}
			for _, c := range a.CancelledActivities {
				want.Ack.CancelledActivities = append(want.Ack.CancelledActivities, core.ActivityIdentifier(c))
			}
			key := fmt.Sprint(turn.Fetched.Instance, "#", a.ExecutionID)
			history[key] = append(history[key], want.Ack.HistoryDelta...)
		}

		decision := goldenTurns(t, run.Name, len(item.History)).Decide(t.Context(), item)
		got := turnResult{decision.Ack, decision.Abandon}
		blank(&want, run.Varies)
		blank(&got, run.Varies)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("turn %d of %s (-recorded +produced):\n%s", i, turn.Fetched.Instance, diff)
		}
	}
}

// goldenTurns returns the engine as the recording runtime was set up.
func goldenTurns(t *testing.T, file string, stored int) *dispatch.Turns {
	reg := NewRegistry()
	for name, twin := range goldenTwins {
		for _, g := range twin(file, stored) {
			if g.name != name {
				t.Fatalf("twin %s registers %s", name, g.name)
			}
			if err := reg.Add(g); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &dispatch.Turns{
		Registry:           resolver{Registry: reg},
		Now:                time.Now,
		Stamp:              stamp,
		Supported:          core.VersionRange{Max: core.MustParseVersion(stamp)},
		MaxAttempts:        3,
		Backoff:            unregisteredBackoff(30*time.Millisecond, 120*time.Millisecond),
		FailNondeterminism: true,
		ParentExecution:    func(context.Context, string) uint64 { t.Error("the parent link is recorded"); return 0 },
		Logger:             slog.New(slog.DiscardHandler),
	}
}

func decodeEvents(t *testing.T, raw []json.RawMessage) []core.Event {
	var out []core.Event
	for _, r := range raw {
		ev, err := core.DecodeEvent(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ev)
	}
	return out
}

func decodeItems(t *testing.T, raw []json.RawMessage) []core.WorkItem {
	var out []core.WorkItem
	for _, r := range raw {
		item, err := core.DecodeWorkItem(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, item)
	}
	return out
}

// blank removes what varies from run to run: the four fields that every file
// lists, and the text of a mismatch where the file says so.
func blank(r *turnResult, varies []string) {
	if r.Ack == nil {
		return
	}
	mismatch := slices.ContainsFunc(varies, func(v string) bool { return strings.Contains(v, "text of the mismatch") })
	for i := range r.Ack.HistoryDelta {
		ev := &r.Ack.HistoryDelta[i]
		ev.TimestampMs, ev.DuroxideVersion = 0, ""
		switch d := ev.Data.(type) {
		case core.TimerCreated:
			ev.Data = core.TimerCreated{}
		case core.TimerFired:
			ev.Data = core.TimerFired{}
		case core.KeyValueSet:
			d.LastUpdatedAtMs = 0
			ev.Data = d
		case core.OrchestrationFailed:
			if c, ok := d.Details.(core.ConfigurationError); ok && mismatch && c.Message != nil {
				class, _, _ := strings.Cut(*c.Message, ":")
				c.Message = &class
				ev.Data = core.OrchestrationFailed{Details: c}
				class = "nondeterministic: " + class
				r.Ack.Metadata.Output = &class
			}
		}
	}
	for i, item := range r.Ack.OrchestratorItems {
		if d, ok := item.(core.TimerFiredItem); ok {
			d.FireAtMs = 0
			r.Ack.OrchestratorItems[i] = d
		}
	}
}
