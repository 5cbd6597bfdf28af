package sqliteprovider_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// One activity that cannot be decoded does not keep the others waiting.
func TestUndecodableActivity(t *testing.T) {
	t.Parallel()
	p := openAt(t, ":memory:")
	send(t, p, activity("bad", 1), activity("good", 2))
	if err := sqliteprovider.Exec(t.Context(), p, `UPDATE worker_queue SET work_item = '{"New":{}}' WHERE instance_id = 'bad'`); err != nil {
		t.Fatal(err)
	}
	_, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: patience})
	permanently(t, "fetch", err, core.ErrUndecodable)
	if item := work(t, p); item == nil || item.Item.RoutingInstance() != "good" {
		t.Errorf("fetched %+v", item)
	}
	if item := work(t, p); item != nil {
		t.Errorf("fetched %+v", item)
	}
}

// Messages that cannot be decoded are reported and go with the turn that ends
// the instance.
func TestUndecodableMessage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, condition string
		messages        int
	}{
		{"one of two", `work_item LIKE '{"ExternalRaised%'`, 1},
		{"all", `1`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := openAt(t, ":memory:")
			send(t, p, start("bad"), external("bad"), start("good"))
			err := sqliteprovider.Exec(t.Context(), p,
				`UPDATE orchestrator_queue SET work_item = '{' WHERE instance_id = 'bad' AND `+tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			bad, good := turn(t, p), turn(t, p)
			if bad == nil || bad.HistoryError == "" || len(bad.Messages) != tt.messages || bad.AttemptCount != 1 || bad.KVSnapshot != nil {
				t.Errorf("fetched %+v", bad)
			}
			if good == nil || good.Instance != "good" || good.HistoryError != "" {
				t.Errorf("fetched %+v", good)
			}
			err = p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
				LockToken: bad.LockToken, ExecutionID: 1,
				HistoryDelta: []core.Event{event("bad", core.PoisonEventID, core.OrchestrationCompleted{})},
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := depth(t, p); n != 1 {
				t.Errorf("%d messages are left, want the good one", n)
			}
		})
	}
}

func depth(t *testing.T, p *sqliteprovider.Provider) (n int) {
	t.Helper()
	if _, err := sqliteprovider.QueryRow(t.Context(), p, `SELECT count(*) FROM orchestrator_queue`, nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A message for an instance of which nothing is known yet is handed out, and
// stands in nobody's way; queue messages alone are dropped.
func TestOrphans(t *testing.T) {
	t.Parallel()
	p := openAt(t, ":memory:")
	send(t, p,
		core.QueueMessageItem{Instance: "nobody", Name: "q", Data: "1"},
		core.QueueMessageItem{Instance: "nobody", Name: "q", Data: "2"},
		external("early"), start("known"))
	early, known := turn(t, p), turn(t, p)
	if early == nil || early.Instance != "early" || early.OrchestrationName != "Unknown" || early.Version != core.UnknownVersion ||
		early.ExecutionID != 1 || early.HistoryError != "" || len(early.Messages) != 1 {
		t.Errorf("fetched %+v", early)
	}
	if known == nil || known.Instance != "known" {
		t.Errorf("fetched %+v", known)
	}
	if n := depth(t, p); n != 2 {
		t.Errorf("%d messages are left, want those that were fetched", n)
	}
}

// TestMessagesBeforeTheirStart wait for a start that is hidden, uncounted.
func TestMessagesBeforeTheirStart(t *testing.T) {
	t.Parallel()
	p := openAt(t, ":memory:")
	if err := p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("i"), Delay: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	send(t, p, core.QueueMessageItem{Instance: "i", Name: "q", Data: "1"})
	if item := turn(t, p); item != nil && len(item.Messages) != 2 {
		t.Fatalf("fetched %v before the start", item.Messages)
	}
	item, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: time.Minute, PollTimeout: time.Minute})
	if err != nil || item == nil || len(item.Messages) != 2 || item.AttemptCount != 1 {
		t.Errorf("fetched %+v, %v", item, err)
	}
}

// Texts come back as they are, NUL and the empty one among them.
func TestTexts(t *testing.T) {
	t.Parallel()
	p := openAt(t, ":memory:")
	for _, id := range []string{"a\x00b", "a\x00c", "", "a", "ü🚀'\"%_"} {
		send(t, p, core.StartOrchestrationItem{Instance: id, Orchestration: id, Version: &id, Input: id, ExecutionID: 1})
		item := turn(t, p)
		if item == nil || item.Instance != id || item.OrchestrationName != id || item.Version != id {
			t.Fatalf("%q: fetched %+v", id, item)
		}
		a := activity(id, 2)
		a.Tag, a.SessionID = &id, &id
		err := p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
			LockToken: item.LockToken, ExecutionID: 1,
			HistoryDelta: []core.Event{
				event(id, 1, core.OrchestrationStarted{Name: id, Version: id, Input: id}),
				event(id, 2, core.KeyValueSet{Key: id, Value: id, LastUpdatedAtMs: 5}),
				event(id, 3, core.CustomStatusUpdated{Status: &id}),
			},
			WorkerItems: []core.WorkItem{a},
			Metadata: core.ExecutionMetadata{
				Status: core.StatusCompleted, Output: &id, OrchestrationName: &id, OrchestrationVersion: &id,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		locked, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{
			LockTimeout: lease, Tags: core.TagFilter{Mode: core.TagsOnly, Tags: []string{id}},
			Session: &core.SessionFetchConfig{OwnerID: id, LockTimeout: lease},
		})
		if err != nil || locked == nil {
			t.Fatalf("%q: fetched %+v, %v", id, locked, err)
		}
		if diff := cmp.Diff(core.WorkItem(a), locked.Item); diff != "" {
			t.Errorf("%q: activity\n%s", id, diff)
		}
		info, err := p.GetInstanceInfo(t.Context(), core.GetInstanceInfoParams{Instance: id})
		if err != nil || info.OrchestrationName != id || info.Output == nil || *info.Output != id {
			t.Errorf("%q: info %+v, %v", id, info, err)
		}
		values, err := p.GetKVAllValues(t.Context(), core.GetKVAllValuesParams{Instance: id})
		if diff := cmp.Diff(map[string]string{id: id}, values); diff != "" || err != nil {
			t.Errorf("%q: values %v\n%s", id, err, diff)
		}
		stats, err := p.GetInstanceStats(t.Context(), core.GetInstanceStatsParams{Instance: id})
		if err != nil || stats.KVTotalValueBytes != uint64(len(id)) || stats.HistoryEventCount != 3 {
			t.Errorf("%q: stats %+v, %v", id, stats, err)
		}
	}
}

// What SQLite cannot hold is refused with the name of the field, and what it can
// just hold is not.
func TestRanges(t *testing.T) {
	t.Parallel()
	p := openAt(t, ":memory:")
	ctx := t.Context()
	send(t, p, start("i"))
	token := turn(t, p).LockToken
	ack := func(edit func(*core.AckOrchestrationItemParams)) error {
		a := core.AckOrchestrationItemParams{LockToken: token, ExecutionID: 1}
		edit(&a)
		return p.AckOrchestrationItem(ctx, a)
	}
	const tooBig = math.MaxInt64 + 1
	for name, err := range map[string]error{
		"execution": ack(func(a *core.AckOrchestrationItemParams) { a.ExecutionID = tooBig }),
		"event": ack(func(a *core.AckOrchestrationItemParams) {
			a.HistoryDelta = []core.Event{event("i", tooBig, core.OrchestrationCompleted{})}
		}),
		"event 0": ack(func(a *core.AckOrchestrationItemParams) {
			a.HistoryDelta = []core.Event{event("i", 0, core.OrchestrationCompleted{})}
		}),
		"no data": ack(func(a *core.AckOrchestrationItemParams) { a.HistoryDelta = []core.Event{{ID: 1}} }),
		"value time": ack(func(a *core.AckOrchestrationItemParams) {
			a.HistoryDelta = []core.Event{event("i", 1, core.KeyValueSet{Key: "k", LastUpdatedAtMs: tooBig})}
		}),
		"pin": ack(func(a *core.AckOrchestrationItemParams) {
			a.Metadata.PinnedDuroxideVersion = &core.Version{Minor: 1000}
		}),
		"big pin": ack(func(a *core.AckOrchestrationItemParams) {
			a.Metadata.PinnedDuroxideVersion = &core.Version{Major: tooBig}
		}),
		"output":   ack(func(a *core.AckOrchestrationItemParams) { a.Metadata.Output = ptr("\xff") }),
		"activity": p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity("i", tooBig)}),
		"append":   p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "i", ExecutionID: tooBig}),
		"owner": func() error {
			_, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{
				LockTimeout: lease, Session: &core.SessionFetchConfig{OwnerID: "\xff", LockTimeout: lease},
			})
			return err
		}(),
	} {
		permanently(t, name, err, core.ErrInvalidArgument)
	}
	for name, item := range map[string]core.WorkItem{"nothing": nil, "an activity": activity("i", 1), "text": external("\xff")} {
		err := p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: item})
		if !errors.Is(err, core.ErrInvalidItem) && !errors.Is(err, core.ErrInvalidArgument) || core.IsRetryable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := ack(func(a *core.AckOrchestrationItemParams) {
		a.ExecutionID = math.MaxInt64
		a.HistoryDelta = []core.Event{
			event("i", math.MaxInt64, core.KeyValueSet{Key: "k", LastUpdatedAtMs: math.MaxInt64}),
		}
		a.WorkerItems = []core.WorkItem{core.ActivityExecuteItem{Instance: "i", ExecutionID: math.MaxInt64, ID: math.MaxInt64}}
		// Nothing can be stored under it, so there is nothing to cancel.
		a.CancelledActivities = []core.ActivityIdentifier{{Instance: "i", ExecutionID: math.MaxUint64, ActivityID: 1}}
		// A time that does not come.
		a.OrchestratorItems = []core.WorkItem{core.TimerFiredItem{Instance: "i", ExecutionID: 1, ID: 1, FireAtMs: math.MaxUint64}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if item := turn(t, p); item != nil {
		t.Errorf("a timer of the end of time fired: %+v", item)
	}
	events, err := p.Read(ctx, core.ReadParams{Instance: "i"})
	if err != nil || len(events) != 1 || events[0].ID != math.MaxInt64 {
		t.Errorf("events %+v, %v", events, err)
	}
	events, err = p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: "i", ExecutionID: math.MaxUint64})
	if len(events) > 0 || err != nil {
		t.Errorf("events %+v, %v", events, err)
	}
	// Versions that no pin can have bound those that can.
	if err := p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: start("pinned")}); err != nil {
		t.Fatal(err)
	}
	token = turn(t, p).LockToken
	if err := ack(func(a *core.AckOrchestrationItemParams) {
		a.Metadata = core.ExecutionMetadata{
			OrchestrationName: ptr("o"), OrchestrationVersion: ptr("1"), PinnedDuroxideVersion: &core.Version{Major: 1, Minor: 999, Patch: 999},
		}
	}); err != nil {
		t.Fatal(err)
	}
	send(t, p, external("pinned"))
	for _, tt := range []struct {
		low, high core.Version
		want      bool
	}{
		{core.Version{}, core.Version{Major: math.MaxUint64}, true},
		{core.Version{Major: 1, Minor: 999, Patch: 1000}, core.Version{Major: 9}, false},
		{core.Version{}, core.Version{Major: 1, Minor: 5000}, true},
		{core.Version{Major: math.MaxUint64}, core.Version{Major: math.MaxUint64}, false},
	} {
		item, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
			LockTimeout: lease, Filter: &core.CapabilityFilter{SupportedVersions: []core.VersionRange{{Min: tt.low, Max: tt.high}}},
		})
		if err != nil || (item != nil) != tt.want {
			t.Errorf("%v to %v: %+v, %v", tt.low, tt.high, item, err)
		}
		if item != nil {
			if err := p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: item.LockToken}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
