package validation

import (
	"fmt"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// An operation of a history is drawn weight times as often as one of weight 1.
var operations = []struct {
	weight int
	run    func(w *walk)
}{
	{8, (*walk).stepSend},
	{3, (*walk).stepSchedule},
	{10, func(w *walk) { w.stepFetchTurn(w.filter()) }},
	{9, (*walk).stepAckTurn},
	{3, (*walk).stepAbandonTurn},
	{2, (*walk).stepRenewTurn},
	{8, func(w *walk) { w.stepFetchWork(w.tags(), w.r.IntN(3)) }},
	{4, (*walk).stepAckWork},
	{3, (*walk).stepAbandonWork},
	{2, (*walk).stepRenewWork},
	{2, (*walk).stepRenewSessions},
	{1, (*walk).stepCleanUp},
	{4, func(w *walk) { w.look(w.instance()) }},
	{1, (*walk).stepAppend},
	{1, (*walk).stepDelete},
	{1, (*walk).stepPrune},
	{0, (*walk).stepLinger},
	{0, (*walk).stepWait},
}

func (w *walk) stepSend() {
	i := w.instance()
	item := w.message(i)
	d, visible := w.delay()
	if !i.created {
		d, visible = 0, 0
	}
	w.say("send %s, hidden for %v", show(item), d)
	w.must(w.p.EnqueueForOrchestrator(w.t.ctx, core.EnqueueForOrchestratorParams{Item: item, Delay: d}))
	w.send(item, visible)
}

func (w *walk) stepSchedule() {
	item := w.activity(w.instance())
	w.say("schedule %s", show(item))
	w.must(w.p.EnqueueForWorker(w.t.ctx, core.EnqueueForWorkerParams{Item: item}))
	w.schedule(item)
}

// stepFetchTurn takes what the provider chooses among the candidates: which is
// the oldest is not strict.
func (w *walk) stepFetchTurn(f *core.CapabilityFilter) bool {
	lease, until := w.lease()
	w.say("fetch a turn for %v with %s", lease, showFilter(f))
	got, err := w.p.FetchOrchestrationItem(w.t.ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, Filter: f})
	w.must(err)
	var candidates []string
	for _, id := range w.ids {
		if w.candidate(w.instances[id], f) {
			candidates = append(candidates, id)
		}
	}
	if got == nil {
		if len(candidates) > 0 {
			w.wrong("fetched nothing, want one of %v", candidates)
		}
		return false
	}
	w.log[len(w.log)-1] += fmt.Sprintf(": %s with %s", got.Instance, got.LockToken)
	if !slices.Contains(candidates, got.Instance) {
		w.wrong("fetched instance %s, want one of %v", got.Instance, candidates)
	}
	if got.LockToken == "" || slices.Contains(w.turns, got.LockToken) {
		w.wrong("the token %q is not new", got.LockToken)
	}
	i := w.instances[got.Instance]
	w.fetchTurn(i, got.LockToken, until)
	want := &core.OrchestrationItem{
		Instance: i.id, OrchestrationName: "TestOrch", Version: "1.0.0", ExecutionID: i.current,
		History: i.events(i.current), KVSnapshot: i.snapshot, LockToken: got.LockToken,
	}
	for _, msg := range i.marked(got.LockToken) {
		want.Messages = append(want.Messages, msg.item)
		want.AttemptCount = max(want.AttemptCount, msg.attempts)
	}
	want.LastEventID, want.TurnToken = got.LastEventID, got.TurnToken
	if tracker, ok := core.Ability[core.TurnTracker](w.p); ok && tracker.TracksTurns() && i.created {
		want.LastEventID, want.TurnToken = i.nextID(i.current)-1, i.turn
	}
	same(w, "turn", got, want)
	return true
}

// stepAckTurn acknowledges with any token that was ever handed out, sometimes
// with an event id that is taken or none.
func (w *walk) stepAckTurn() {
	token := w.token(w.turns)
	i := w.byTurn(token)
	live := i != nil && i.until > w.tick
	if i == nil {
		i = w.instance()
	}
	exec, a := w.draw(i)
	var cause error
	switch bad := w.r.IntN(8); {
	case !live:
		cause = core.ErrLockLost
	case bad == 0 && len(a.events) > 0 && len(i.events(exec)) > 0:
		a.events[len(a.events)-1].ID = i.events(exec)[0].ID
		cause = core.ErrDuplicateEvent
	case bad == 1 && len(a.events) > 0:
		a.events[len(a.events)-1].ID = 0
		cause = core.ErrInvalidArgument
	}
	w.say("acknowledge %q for execution %d of %s: %s", token, exec, i.id, showAck(a))
	err := w.t.tryAckOn(w.p, &core.OrchestrationItem{LockToken: token}, exec, a)
	if cause != nil {
		w.wantErr(err, cause)
		return
	}
	w.must(err)
	w.ackTurn(i, exec, a)
}

// draw draws what an acknowledgement says.
func (w *walk) draw(i *modelInstance) (exec uint64, a ack) {
	exec = i.current
	next := i.nextID(exec)
	odds := 8
	if e := i.executions[exec]; e != nil && e.status != core.StatusRunning {
		odds = 2
	}
	if i.created && w.r.IntN(odds) == 0 {
		exec, next = exec+1, 1
	}
	if !i.created || exec > i.current {
		a.meta = named("TestOrch", "1.0.0")
	}
	var data []core.EventData
	if next == 1 {
		data = append(data, core.OrchestrationStarted{Name: "TestOrch", Version: "1.0.0", Input: "{}"})
	}
	for range w.r.IntN(4) {
		n := w.number()
		key := []string{"k", "l", ""}[w.r.IntN(3)]
		data = append(data, []core.EventData{
			core.KeyValueSet{Key: key, Value: fmt.Sprint("v", n), LastUpdatedAtMs: stampedAt + n},
			core.KeyValueSet{Key: key, LastUpdatedAtMs: stampedAt + n},
			core.KeyValueCleared{Key: key},
			core.KeyValuesCleared{},
			core.CustomStatusUpdated{Status: ptr(fmt.Sprint("at ", n))},
			core.CustomStatusUpdated{},
			core.ExternalEvent{Name: "e", Data: fmt.Sprint(n)},
		}[w.r.IntN(7)])
	}
	a.events = eventsOf(i.id, exec, next, data...)
	if w.r.IntN(3) == 0 {
		a.meta.Status = []core.ExecutionStatus{
			core.StatusRunning, core.StatusCompleted, core.StatusFailed, core.StatusContinuedAsNew,
		}[w.r.IntN(4)]
		a.meta.Output = ptr(fmt.Sprint("output ", w.number()))
	}
	if w.r.IntN(4) == 0 {
		a.meta.PinnedDuroxideVersion = &pins[w.r.IntN(len(pins))]
	}
	for range w.r.IntN(3) {
		a.work = append(a.work, w.activity(i))
	}
	for range w.r.IntN(3) {
		to := w.instance()
		item := w.message(to)
		if _, first := item.(core.StartOrchestrationItem); first && slices.ContainsFunc(a.messages, func(m core.WorkItem) bool { return m.RoutingInstance() == to.id }) {
			continue // its start is among them already
		}
		if to.created && w.r.IntN(4) == 0 {
			item = core.TimerFiredItem{Instance: to.id, ExecutionID: 1, ID: w.number(), FireAtMs: []uint64{0, 1000, far}[w.r.IntN(3)]}
		}
		a.messages = append(a.messages, item)
	}
	for range w.r.IntN(3) {
		id := core.ActivityIdentifier{Instance: i.id, ExecutionID: 9, ActivityID: 9}
		if n := len(w.activities); n > 0 {
			// A turn cancels only its own instance's activities; a provider may
			// take the instance from the lock.
			if own := identify(w.activities[w.r.IntN(n)].item); own.Instance == i.id {
				id = own
			}
		}
		a.cancelled = append(a.cancelled, id)
	}
	if len(a.work) > 0 && w.r.IntN(6) == 0 {
		a.cancelled = append(a.cancelled, identify(a.work[0].(core.ActivityExecuteItem)))
	}
	return exec, a
}

func (w *walk) stepAbandonTurn() {
	token := w.token(w.turns)
	i := w.byTurn(token)
	d, visible := w.delay()
	if i != nil && !i.created {
		d, visible = 0, 0
	}
	ignore := w.r.IntN(2) == 0
	w.say("abandon %q, hidden for %v, ignoring the attempt: %t", token, d, ignore)
	err := w.p.AbandonOrchestrationItem(w.t.ctx, core.AbandonParams{LockToken: token, Delay: d, IgnoreAttempt: ignore})
	if i == nil {
		w.wantErr(err, core.ErrLockLost)
		return
	}
	w.must(err)
	w.abandonTurn(i, visible, ignore)
}

// stepRenewTurn renews for ages: whether a lease can be made shorter is open.
func (w *walk) stepRenewTurn() {
	token := w.token(w.turns)
	w.say("renew %q", token)
	err := w.p.RenewOrchestrationItemLock(w.t.ctx, core.RenewLockParams{LockToken: token, ExtendFor: forAges})
	if i := w.byTurn(token); i != nil && i.until > w.tick {
		w.must(err)
		i.until = never
		return
	}
	w.wantErr(err, core.ErrLockLost)
}

// look compares what is read of an instance.
func (w *walk) look(i *modelInstance) {
	w.say("look at %s", i.id)
	ctx := w.t.ctx
	events, err := w.p.Read(ctx, core.ReadParams{Instance: i.id})
	w.must(err)
	same(w, "history of "+i.id, events, i.events(i.current))
	for exec := range i.current + 1 {
		events, err := w.p.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: i.id, ExecutionID: exec})
		w.must(err)
		same(w, fmt.Sprintf("history of execution %d of %s", exec, i.id), events, i.events(exec))
	}
	all, err := w.p.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: i.id})
	w.must(err)
	want := map[string]string{}
	for key, entry := range i.live {
		want[key] = entry.Value
	}
	same(w, "values of "+i.id, all, want)
	for _, key := range []string{"k", "l", ""} {
		v, err := w.p.GetKVValue(ctx, core.GetKVValueParams{Instance: i.id, Key: key})
		w.must(err)
		var wantValue *string
		if entry, ok := i.live[key]; ok {
			wantValue = &entry.Value
		}
		same(w, fmt.Sprintf("value of the key %q of %s", key, i.id), v, wantValue)
	}
	for _, seen := range []uint64{0, i.statusVersion} {
		status, err := w.p.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: i.id, LastSeenVersion: seen})
		w.must(err)
		var wantStatus *core.CustomStatus
		if i.statusVersion > seen {
			wantStatus = &core.CustomStatus{Status: i.status, Version: i.statusVersion}
		}
		same(w, fmt.Sprintf("custom status of %s after version %d", i.id, seen), status, wantStatus)
	}
	stats, err := w.p.GetInstanceStats(ctx, core.GetInstanceStatsParams{Instance: i.id})
	w.must(err)
	if (stats != nil) != i.created || stats != nil && stats.HistoryEventCount != uint64(len(i.events(i.current))) {
		w.wrong("the statistics of %s are %+v, want %d events", i.id, stats, len(i.events(i.current)))
	}
	w.inspect(i)
}

// inspect compares what the management capability tells, if there is one.
func (w *walk) inspect(i *modelInstance) {
	reader, ok := core.Ability[core.AdminReader](w.p)
	if !ok {
		return
	}
	ids, err := reader.ListExecutions(w.t.ctx, core.ListExecutionsParams{Instance: i.id})
	w.must(err)
	same(w, "executions of "+i.id, ids, slices.Sorted(maps.Keys(i.executions)))
	info, err := reader.GetInstanceInfo(w.t.ctx, core.GetInstanceInfoParams{Instance: i.id})
	if !i.created {
		w.wantErr(err, core.ErrNotFound)
		return
	}
	w.must(err)
	e := i.executions[i.current]
	same(w, "name of "+i.id, info.OrchestrationName, "TestOrch")
	same(w, "current execution of "+i.id, info.CurrentExecutionID, i.current)
	same(w, "status of "+i.id, info.Status, e.status)
	same(w, "output of "+i.id, info.Output, e.output)
	for _, id := range ids {
		info, err := reader.GetExecutionInfo(w.t.ctx, core.GetExecutionInfoParams{Instance: i.id, ExecutionID: id})
		w.must(err)
		e := i.executions[id]
		same(w, fmt.Sprintf("status of execution %d of %s", id, i.id), info.Status, e.status)
		same(w, fmt.Sprintf("events of execution %d of %s", id, i.id), info.EventCount, uint64(len(e.events)))
	}
}

func (w *walk) stepAppend() {
	i := w.instance()
	if !i.created {
		return
	}
	events := eventsOf(i.id, i.current, i.nextID(i.current), core.ExternalEvent{Name: "appended", Data: fmt.Sprint(w.number())})
	w.say("append event %d to execution %d of %s", events[0].ID, i.current, i.id)
	w.must(w.p.AppendWithExecution(w.t.ctx, core.AppendWithExecutionParams{Instance: i.id, ExecutionID: i.current, Events: events}))
	e := i.executions[i.current]
	e.events = append(e.events, events...)
}

func (w *walk) stepDelete() {
	i := w.instance()
	deleter, ok := core.Ability[core.AdminDeleter](w.p)
	if !ok || !i.created {
		return
	}
	force := w.r.IntN(2) == 0
	w.say("delete %s, by force: %t", i.id, force)
	result, err := deleter.DeleteInstance(w.t.ctx, core.DeleteInstanceParams{Instance: i.id, Force: force})
	if !force && i.executions[i.current].status == core.StatusRunning {
		w.wantErr(err, core.ErrStillRunning)
		return
	}
	w.must(err)
	same(w, "deletion", *result, w.delete(i))
}

func (w *walk) stepPrune() {
	i := w.instance()
	pruner, ok := core.Ability[core.AdminPruner](w.p)
	if !ok || !i.created {
		return
	}
	keep := w.r.IntN(4)
	w.say("prune %s to %d", i.id, keep)
	result, err := pruner.PruneExecutions(w.t.ctx, core.PruneExecutionsParams{
		Instance: i.id, Options: core.PruneOptions{KeepLast: ptr(uint32(keep))},
	})
	w.must(err)
	same(w, "pruning", *result, i.prune(keep))
}
