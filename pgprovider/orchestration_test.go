package pgprovider_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// sql runs a statement of a test; @ in front of a dot stands for the schema.
func sql(t *testing.T, db *migrationstest.DB, text string, args ...any) {
	t.Helper()
	_, err := db.Pool.Exec(t.Context(), in(db, text), args...)
	must(t, err)
}

func in(db *migrationstest.DB, text string) string {
	return strings.ReplaceAll(text, "@.", pgx.Identifier{db.Schema}.Sanitize()+".")
}

func sqlValue[T any](t *testing.T, db *migrationstest.DB, text string, args ...any) (v T) {
	t.Helper()
	must(t, db.Pool.QueryRow(t.Context(), in(db, text), args...).Scan(&v))
	return v
}

func wantError(t *testing.T, what string, err, sentinel error) {
	t.Helper()
	var pe *core.ProviderError
	if !errors.Is(err, sentinel) || !errors.As(err, &pe) || pe.Retryable {
		t.Errorf("%s: %v, want a permanent %v", what, err, sentinel)
	}
}

func TestOrchestrationTokens(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := core.SystemClock()
	late := &shiftedClock{base: now}
	p, _ := openDB(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = late })
	ack := func(token string) error {
		return p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{LockToken: token, ExecutionID: 1})
	}
	renew := func(token string) error {
		return p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
	}
	abandon := func(token string) error {
		return p.AbandonOrchestrationItem(ctx, core.AbandonParams{LockToken: token})
	}
	for name, call := range map[string]func(string) error{"ack": ack, "renew": renew, "abandon": abandon} {
		wantError(t, name+" with an unknown token", call("lock_x"), core.ErrLockLost)
	}
	enqueue(t, p, start("i"))
	first := mustFetch(t, p)
	if fetch(t, p) != nil {
		t.Error("fetched a locked instance")
	}
	late.shift(lease) // equality is expired
	wantError(t, "ack after the lease", ack(first.LockToken), core.ErrLockLost)
	wantError(t, "renewal after the lease", renew(first.LockToken), core.ErrLockLost)
	second := mustFetch(t, p)
	equal(t, "attempts after an expired lease", 2, second.AttemptCount)
	wantError(t, "abandon after a takeover", abandon(first.LockToken), core.ErrLockLost)
	late.shift(2 * lease)
	must(t, abandon(second.LockToken)) // expired, but nobody took it
	third := mustFetch(t, p)
	must(t, ack(third.LockToken))
	wantError(t, "second ack", ack(third.LockToken), core.ErrLockLost)
	wantError(t, "abandon after an ack", abandon(third.LockToken), core.ErrLockLost)
}

func TestAbandonWithDelay(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{base: core.SystemClock()}
	p := open(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = clock })
	enqueue(t, p, start("i"))
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: mustFetch(t, p).LockToken, ExecutionID: 1, Metadata: named(), HistoryDelta: []core.Event{started("i")},
	}))
	early, late := core.ExternalRaisedItem{Instance: "i", Name: "early"}, core.ExternalRaisedItem{Instance: "i", Name: "late"}
	enqueue(t, p, early)
	item := mustFetch(t, p)
	enqueue(t, p, late)
	must(t, p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: item.LockToken, Delay: time.Hour}))
	item = mustFetch(t, p)
	equal(t, "messages that were not abandoned", []core.WorkItem{late}, item.Messages)
	must(t, p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: item.LockToken}))
	clock.shift(time.Hour)
	item = mustFetch(t, p)
	equal(t, "messages in the order of the queue", []core.WorkItem{early, late}, item.Messages)
	equal(t, "attempts, the maximum", 2, item.AttemptCount)
}

func TestAckIsAtomic(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	create(t, p, "i")
	enqueue(t, p, core.ExternalRaisedItem{Instance: "i"})
	item := mustFetch(t, p)
	bad := core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1, Metadata: core.ExecutionMetadata{Status: core.StatusFailed},
		HistoryDelta:      []core.Event{event("i", 2, core.ExternalEvent{}), event("i", 1, core.ExternalEvent{})},
		WorkerItems:       []core.WorkItem{core.ActivityExecuteItem{Instance: "i", ExecutionID: 1, ID: 2}},
		OrchestratorItems: []core.WorkItem{core.ExternalRaisedItem{Instance: "other"}},
	}
	wantError(t, "an event id that exists", p.AckOrchestrationItem(t.Context(), bad), core.ErrDuplicateEvent)
	equal(t, "events", 1, sqlValue[int](t, db, `SELECT count(*) FROM @.history`))
	equal(t, "worker rows", 0, sqlValue[int](t, db, `SELECT count(*) FROM @.worker_queue`))
	equal(t, "orchestrator rows", 1, sqlValue[int](t, db, `SELECT count(*) FROM @.orchestrator_queue`))
	equal(t, "status", "Running", sqlValue[string](t, db, `SELECT status FROM @.executions`))
	bad.HistoryDelta = bad.HistoryDelta[:1]
	must(t, p.AckOrchestrationItem(t.Context(), bad)) // the lock is still held
	equal(t, "type of the event", "ExternalEvent", sqlValue[string](t, db, `SELECT event_type FROM @.history WHERE event_id = 2`))
}

func TestStoredHistoryIsVerbatim(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	e := event("i", 2, core.ExternalEvent{Name: "<&>", Data: `{"b":1,"a":[1.0,"\u2028"]}`})
	create(t, p, "i", e)
	want, err := core.EncodeEvent(e)
	must(t, err)
	equal(t, "event", string(want), sqlValue[string](t, db, `SELECT event_data FROM @.history WHERE event_id = 2`))
}

func TestVersionFilter(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	create(t, p, "i")
	enqueue(t, p, core.ExternalRaisedItem{Instance: "i"})
	take := func(ranges ...core.VersionRange) bool {
		item, err := p.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{
			LockTimeout: lease, Filter: &core.CapabilityFilter{SupportedVersions: ranges},
		})
		must(t, err)
		if item == nil {
			return false
		}
		must(t, p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: item.LockToken, IgnoreAttempt: true}))
		return true
	}
	between := func(from, to string) core.VersionRange {
		return core.VersionRange{Min: core.MustParseVersion(from), Max: core.MustParseVersion(to)}
	}
	if !take(between("9.0.0", "9.0.0")) {
		t.Error("an instance without a pin passes every filter")
	}
	sql(t, db, `UPDATE @.executions SET duroxide_version_major = 1, duroxide_version_minor = 2, duroxide_version_patch = 3`)
	for _, tt := range []struct {
		ranges []core.VersionRange
		want   bool
	}{
		{nil, false},
		{[]core.VersionRange{between("1.2.3", "1.2.3")}, true},
		{[]core.VersionRange{between("1.2.4", "9.0.0")}, false},
		{[]core.VersionRange{between("0.0.0", "1.2.2")}, false},
		{[]core.VersionRange{between("0.0.0", "1.2.3-rc.1")}, true}, // pre-releases do not count
		{[]core.VersionRange{between("0.0.0", "1.0.0"), between("1.0.0", "2.0.0")}, false},
		{[]core.VersionRange{{Max: core.Version{Major: math.MaxUint64}}}, true},
	} {
		if got := take(tt.ranges...); got != tt.want {
			t.Errorf("%v: fetched is %v", tt.ranges, got)
		}
	}
	equal(t, "attempts of what was not fetched", 0, sqlValue[int](t, db, `SELECT attempt_count FROM @.orchestrator_queue`))
}

func TestOrphanQueueMessagesAreDropped(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	orphan := core.QueueMessageItem{Instance: "nobody", Name: "q", Data: "d"}
	enqueue(t, p, orphan, orphan)
	enqueue(t, p, core.QueueMessageItem{Instance: "nobody 2", Name: "q"}, start("i"))
	// The same call goes on with the next instance.
	equal(t, "instance", "i", mustFetch(t, p).Instance)
	equal(t, "rows of orphans", 0, sqlValue[int](t, db, `SELECT count(*) FROM @.orchestrator_queue WHERE instance_id LIKE 'nobody%'`))

	// Anything else may have overtaken the start.
	enqueue(t, p, orphan, core.CancelInstanceItem{Instance: "nobody", Reason: "r"})
	item := mustFetch(t, p)
	equal(t, "messages", []core.WorkItem{orphan, core.CancelInstanceItem{Instance: "nobody", Reason: "r"}}, item.Messages)
	equal(t, "name and version", "Unknown unknown", item.OrchestrationName+" "+item.Version)
}

func TestUndecodable(t *testing.T) {
	t.Parallel()
	for name, corrupt := range map[string]string{
		"history":          `UPDATE @.history SET event_data = '{"not":"an event"}'`,
		"kind of an event": `UPDATE @.history SET event_data = replace(event_data, 'OrchestrationStarted', 'FromTheFuture')`,
		"message":          `UPDATE @.orchestrator_queue SET work_item = '{"FromTheFuture":{}}' WHERE id = (SELECT min(id) FROM @.orchestrator_queue)`,
		"snapshot":         `INSERT INTO @.kv_store VALUES ('i', 'k', 'v', 1, -1)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db := openDB(t)
			create(t, p, "i")
			enqueue(t, p, core.ExternalRaisedItem{Instance: "i", Name: "a"}, core.ExternalRaisedItem{Instance: "i", Name: "b"})
			sql(t, db, corrupt)
			for attempt := uint32(1); attempt <= 2; attempt++ {
				item := mustFetch(t, p)
				if item.HistoryError == "" || len(item.History) != 0 || len(item.KVSnapshot) != 0 || len(item.Messages) == 0 {
					t.Fatalf("item %+v", item)
				}
				equal(t, "attempts", attempt, item.AttemptCount)
				if attempt == 1 {
					must(t, p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: item.LockToken}))
					continue
				}
				// The poison acknowledgement works without reading old rows.
				must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
					LockToken: item.LockToken, ExecutionID: 1,
					HistoryDelta: []core.Event{event("i", core.PoisonEventID, core.OrchestrationFailed{Details: core.PoisonError{MessageType: core.PoisonUndecodable{}}})},
					Metadata:     core.ExecutionMetadata{Status: core.StatusFailed},
				}))
			}
			if fetch(t, p) != nil {
				t.Error("a message is left")
			}
		})
	}
	t.Run("orphans with an unknown message", func(t *testing.T) {
		t.Parallel()
		p, db := openDB(t)
		enqueue(t, p, core.QueueMessageItem{Instance: "i"}, core.QueueMessageItem{Instance: "i"})
		sql(t, db, `UPDATE @.orchestrator_queue SET work_item = '{"FromTheFuture":{}}' WHERE id = (SELECT min(id) FROM @.orchestrator_queue)`)
		if item := mustFetch(t, p); item.HistoryError == "" {
			t.Errorf("dropped, or returned as %+v", item)
		}
	})
	t.Run("reads fail as a whole", func(t *testing.T) {
		t.Parallel()
		p, db := openDB(t)
		create(t, p, "i", event("i", 2, core.ExternalEvent{}))
		sql(t, db, `UPDATE @.history SET event_data = '{}' WHERE event_id = 2`)
		for name, err := range map[string]error{
			"Read":              second(p.Read(t.Context(), core.ReadParams{Instance: "i"})),
			"ReadWithExecution": second(p.ReadWithExecution(t.Context(), core.ReadWithExecutionParams{Instance: "i", ExecutionID: 1})),
			"ReadHistory":       second(p.ReadHistory(t.Context(), core.ReadHistoryParams{Instance: "i"})),
			"ReadHistoryWithExecutionID": second(p.ReadHistoryWithExecutionID(t.Context(),
				core.ReadHistoryWithExecutionIDParams{Instance: "i", ExecutionID: 1})),
		} {
			wantError(t, name, err, core.ErrUndecodable)
		}
	})
}

func TestTimers(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{base: core.SystemClock()}
	p, db := openDB(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = clock })
	timer := func(at uint64) core.TimerFiredItem {
		return core.TimerFiredItem{Instance: "i", ExecutionID: 1, ID: 2, FireAtMs: at}
	}
	enqueue(t, p, start("i"))
	item := mustFetch(t, p)
	due := core.Milliseconds(clock.Now().Add(time.Hour))
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1, Metadata: named(),
		OrchestratorItems: []core.WorkItem{timer(due), timer(math.MaxUint64)},
	}))
	enqueue(t, p, timer(due+1), timer(math.MaxUint64))
	if fetch(t, p) != nil {
		t.Error("a timer fired early")
	}
	equal(t, "latest", int64(9224318015999), sqlValue[int64](t, db, `SELECT extract(epoch FROM max(visible_at))::bigint FROM @.orchestrator_queue`))
	clock.shift(time.Hour + time.Second)
	equal(t, "due timers", []core.WorkItem{timer(due), timer(due + 1)}, mustFetch(t, p).Messages)
}

// TestRefusedValues checks that nothing is sent that PostgreSQL refuses or that
// would stop the queue of everybody.
func TestRefusedValues(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	ctx := t.Context()
	const nul, big = "a\x00", uint64(math.MaxInt64) + 1
	ack := func(change func(*core.AckOrchestrationItemParams)) error {
		params := core.AckOrchestrationItemParams{LockToken: "t", ExecutionID: 1}
		change(&params)
		return p.AckOrchestrationItem(ctx, params)
	}
	meta := func(m core.ExecutionMetadata) error {
		return ack(func(p *core.AckOrchestrationItemParams) { p.Metadata = m })
	}
	delta := func(e core.Event) error {
		return ack(func(p *core.AckOrchestrationItemParams) { p.HistoryDelta = []core.Event{started("i"), e} })
	}
	item := func(i core.WorkItem) error {
		return p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: i})
	}
	session := func(owner string) core.FetchWorkItemParams {
		return core.FetchWorkItemParams{LockTimeout: lease, Session: &core.SessionFetchConfig{OwnerID: owner, LockTimeout: lease}}
	}
	for _, tt := range []struct {
		field string
		err   error
	}{
		{"Item.StartOrchestration.Input", item(core.StartOrchestrationItem{Input: nul})},
		{"Item.StartOrchestration.ExecutionID", item(core.StartOrchestrationItem{ExecutionID: big})},
		{"Item.StartOrchestration.ParentID", item(core.StartOrchestrationItem{ParentID: ptr(big)})},
		{"Item.ContinueAsNew.ParentExecutionID", item(core.ContinueAsNewItem{ParentExecutionID: ptr(big)})},
		{"Item.TimerFired.ID", item(core.TimerFiredItem{ID: big})},
		{"Item.SubOrchCompleted.ParentID", item(core.SubOrchCompletedItem{ParentID: big})},
		{"Item.SubOrchFailed.ParentExecutionID", item(core.SubOrchFailedItem{ParentExecutionID: big, Details: core.InfrastructureError{}})},
		{"Item.ExternalRaised.Instance is not valid UTF-8", item(core.ExternalRaisedItem{Instance: "\xc0"})},
		{"Item.ActivityExecute.Tag", p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: core.ActivityExecuteItem{Tag: ptr(nul)}})},
		{"Item.ActivityExecute.ID", p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: core.ActivityExecuteItem{ID: big}})},
		{"Completion.ActivityCompleted.Result", p.AckWorkItem(ctx, core.AckWorkItemParams{Completion: core.ActivityCompletedItem{Result: nul}})},
		{"Completion.ActivityFailed.ExecutionID", p.AckWorkItem(ctx, core.AckWorkItemParams{
			Completion: core.ActivityFailedItem{ExecutionID: big, Details: core.InfrastructureError{}},
		})},
		{"LockToken", ack(func(p *core.AckOrchestrationItemParams) { p.LockToken = nul })},
		{"ExecutionID", ack(func(p *core.AckOrchestrationItemParams) { p.ExecutionID = big })},
		{"HistoryDelta[1].Data.Data", delta(event("i", 2, core.ExternalEvent{Data: nul}))},
		{"HistoryDelta[1].InstanceID", delta(event(nul, 2, core.ExternalEvent{}))},
		{"HistoryDelta[1].ID", delta(event("i", big, core.ExternalEvent{}))},
		{"HistoryDelta[1]: event_id must be set", delta(event("i", 0, core.ExternalEvent{}))},
		{"HistoryDelta[1].Data is nil", delta(core.Event{ID: 2})},
		{"HistoryDelta[1].KeyValueSet.LastUpdatedAtMs", delta(event("i", 2, core.KeyValueSet{LastUpdatedAtMs: big}))},
		{"WorkerItems[0].ActivityExecute.Name", ack(func(p *core.AckOrchestrationItemParams) {
			p.WorkerItems = []core.WorkItem{core.ActivityExecuteItem{Name: nul}}
		})},
		{"OrchestratorItems[1].QueueMessage.Data", ack(func(p *core.AckOrchestrationItemParams) {
			p.OrchestratorItems = []core.WorkItem{start("i"), core.QueueMessageItem{Data: nul}}
		})},
		{"CancelledActivities[0].ActivityID", ack(func(p *core.AckOrchestrationItemParams) {
			p.CancelledActivities = []core.ActivityIdentifier{{ActivityID: big}}
		})},
		{"Metadata.Output", meta(core.ExecutionMetadata{Output: ptr(nul)})},
		{"Metadata.ParentInstanceID", meta(core.ExecutionMetadata{ParentInstanceID: ptr(nul)})},
		{"Metadata.Status", meta(core.ExecutionMetadata{Status: nul})},
		{"major is above 2147", meta(core.ExecutionMetadata{PinnedDuroxideVersion: &core.Version{Major: 2148}})},
		{"minor and patch must be below 1000", meta(core.ExecutionMetadata{PinnedDuroxideVersion: &core.Version{Patch: 1000}})},
		{"Events[0].ID", p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "i", Events: []core.Event{event("i", big, core.ExternalEvent{})}})},
		{"Events[0]: event_id", p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "i", Events: []core.Event{event("i", 0, core.ExternalEvent{})}})},
		{"ExecutionID", p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "i", ExecutionID: big})},
		{"Instance", second(p.Read(ctx, core.ReadParams{Instance: nul}))},
		{"Key", second(p.GetKVValue(ctx, core.GetKVValueParams{Key: nul}))},
		{"Session.OwnerID", second(p.FetchWorkItem(ctx, session(nul)))},
		{"OwnerIDs[1]", second(p.RenewSessionLock(ctx, core.RenewSessionLockParams{OwnerIDs: []string{"a", nul}, ExtendFor: 1}))},
		{"LockTimeout", second(p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{}))},
		{"LockTimeout", second(p.FetchWorkItem(ctx, core.FetchWorkItemParams{}))},
		{"requires at least one tag", second(p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: 1, Tags: core.TagFilter{Mode: core.TagsOnly}}))},
		{"ExtendFor", p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: "t"})},
	} {
		wantError(t, tt.field, tt.err, core.ErrInvalidArgument)
		if tt.err != nil && !strings.Contains(tt.err.Error(), tt.field) {
			t.Errorf("%v does not name %s", tt.err, tt.field)
		}
	}
	wantError(t, "an activity for the orchestrator", item(core.ActivityExecuteItem{}), core.ErrInvalidItem)
	wantError(t, "nil for the orchestrator", item(nil), core.ErrInvalidItem)
	wantError(t, "a timer for the worker", p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: core.TimerFiredItem{}}), core.ErrInvalidItem)
	wantError(t, "a timer as a completion", p.AckWorkItem(ctx, core.AckWorkItemParams{Completion: core.TimerFiredItem{}}), core.ErrInvalidItem)
	equal(t, "rows", 0, sqlValue[int](t, db, `SELECT (SELECT count(*) FROM @.orchestrator_queue) + (SELECT count(*) FROM @.worker_queue)`))

	// The largest values that fit are stored and come back.
	top := uint64(math.MaxInt64)
	largest := core.StartOrchestrationItem{Instance: "i", Orchestration: "O", ExecutionID: top, ParentID: &top, ParentExecutionID: &top}
	enqueue(t, p, largest)
	got := mustFetch(t, p)
	equal(t, "largest ids", []core.WorkItem{largest}, got.Messages)
	e := core.Event{ID: top, InstanceID: "i", ExecutionID: top, SourceID: ptr(uint64(math.MaxUint64)), DuroxideVersion: "x", Data: core.ExternalEvent{Data: `\u0000`}}
	must(t, p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
		LockToken: got.LockToken, ExecutionID: top, HistoryDelta: []core.Event{e}, Metadata: core.ExecutionMetadata{
			OrchestrationName: ptr("O"), OrchestrationVersion: ptr(""), PinnedDuroxideVersion: &core.Version{Major: 2147, Minor: 483, Patch: 647},
		},
	}))
	enqueue(t, p, core.ExternalRaisedItem{Instance: "i", Data: `{"nested":"\u0000"}`})
	got = mustFetch(t, p)
	equal(t, "largest event", []core.Event{e}, got.History)
	equal(t, "largest execution", top, got.ExecutionID)
}

// TestMetadataWithoutAnInstanceRow follows contract 3.1, step 6.
func TestMetadataWithoutAnInstanceRow(t *testing.T) {
	t.Parallel()
	p := open(t)
	enqueue(t, p, core.ContinueAsNewItem{Instance: "i", Orchestration: "Next"})
	item := mustFetch(t, p)
	equal(t, "derived", "Next unknown 1", fmt.Sprint(item.OrchestrationName, " ", item.Version, " ", item.ExecutionID))
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1, HistoryDelta: []core.Event{started("i")}}))
	ids, err := p.ListInstances(t.Context())
	must(t, err)
	equal(t, "instances", 0, len(ids))
	executions, err := p.ListExecutions(t.Context(), core.ListExecutionsParams{Instance: "i"})
	must(t, err)
	equal(t, "executions", []uint64{1}, executions)
}

func TestAppendIgnoresDuplicates(t *testing.T) {
	t.Parallel()
	p := open(t)
	events := []core.Event{started("i"), event("i", 2, core.ExternalEvent{Name: "first"})}
	must(t, p.AppendWithExecution(t.Context(), core.AppendWithExecutionParams{Instance: "i", ExecutionID: 1, Events: events}))
	must(t, p.AppendWithExecution(t.Context(), core.AppendWithExecutionParams{Instance: "i", ExecutionID: 1}))
	must(t, p.AppendWithExecution(t.Context(), core.AppendWithExecutionParams{
		Instance: "i", ExecutionID: 1, Events: []core.Event{event("i", 2, core.ExternalEvent{Name: "second"})},
	}))
	got, err := p.ReadWithExecution(t.Context(), core.ReadWithExecutionParams{Instance: "i", ExecutionID: 1})
	must(t, err)
	equal(t, "history", events, got)
	got, err = p.ReadWithExecution(t.Context(), core.ReadWithExecutionParams{Instance: "i", ExecutionID: math.MaxUint64})
	must(t, err)
	equal(t, "history of an execution that cannot exist", 0, len(got))
}

// TestMessagesBeforeTheirStart wait for a start that is hidden, uncounted, and
// come with it.
func TestMessagesBeforeTheirStart(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{base: core.SystemClock()}
	p := open(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = clock })
	must(t, p.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("i"), Delay: time.Hour}))
	early := []core.WorkItem{core.QueueMessageItem{Instance: "i", Name: "q"}, core.CancelInstanceItem{Instance: "i"}}
	enqueue(t, p, early...)
	if item := fetch(t, p); item != nil {
		t.Fatalf("fetched %v before the start", item.Messages)
	}
	clock.shift(time.Hour + time.Second)
	item := mustFetch(t, p)
	equal(t, "messages", append([]core.WorkItem{start("i")}, early...), item.Messages)
	equal(t, "attempts", 1, item.AttemptCount)
}
