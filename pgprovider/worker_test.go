package pgprovider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/pgprovider"
)

func activity(id uint64) core.ActivityExecuteItem {
	return core.ActivityExecuteItem{Instance: "i", ExecutionID: 1, ID: id, Name: "A"}
}

func enqueueWork(t *testing.T, p *pgprovider.Provider, items ...core.ActivityExecuteItem) {
	t.Helper()
	for _, item := range items {
		must(t, p.EnqueueForWorker(t.Context(), core.EnqueueForWorkerParams{Item: item}))
	}
}

func TestWorkerTokens(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock := &shiftedClock{base: core.SystemClock()}
	p, db := openDB(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = clock })
	completion := core.ActivityCompletedItem{Instance: "i", ExecutionID: 1, ID: 1}
	ack := func(token string) error {
		return p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: token, Completion: completion})
	}
	renew := func(token string) error {
		return p.RenewWorkItemLock(ctx, core.RenewLockParams{LockToken: token, ExtendFor: lease})
	}
	abandon := func(token string) error {
		return p.AbandonWorkItem(ctx, core.AbandonParams{LockToken: token, IgnoreAttempt: true})
	}
	for name, call := range map[string]func(string) error{"ack": ack, "renew": renew, "abandon": abandon} {
		wantError(t, name+" with an unknown token", call("lock_x"), core.ErrLockLost)
	}
	enqueueWork(t, p, activity(1))
	first := mustFetchWork(t, p)
	clock.shift(lease)
	wantError(t, "ack after the lease", ack(first.LockToken), core.ErrLockLost)
	wantError(t, "renewal after the lease", renew(first.LockToken), core.ErrLockLost)
	equal(t, "completions", 0, sqlValue[int](t, db, `SELECT count(*) FROM @.orchestrator_queue`))
	second := mustFetchWork(t, p)
	equal(t, "attempts", 2, second.AttemptCount)
	wantError(t, "abandon after a takeover", abandon(first.LockToken), core.ErrLockLost)
	clock.shift(lease)
	must(t, abandon(second.LockToken))
	third := mustFetchWork(t, p)
	equal(t, "attempts after an ignored one", 2, third.AttemptCount)
	must(t, ack(third.LockToken))
	wantError(t, "second ack", ack(third.LockToken), core.ErrLockLost)
	equal(t, "completions", 1, sqlValue[int](t, db, `SELECT count(*) FROM @.orchestrator_queue`))
}

func TestCancelledActivityIsStolen(t *testing.T) {
	t.Parallel()
	p := open(t)
	create(t, p, "i")
	enqueueWork(t, p, activity(2), activity(3))
	running := mustFetchWork(t, p)
	enqueue(t, p, core.ExternalRaisedItem{Instance: "i"})
	item := mustFetch(t, p)
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1,
		CancelledActivities: []core.ActivityIdentifier{{Instance: "i", ExecutionID: 1, ActivityID: 2}, {Instance: "i", ExecutionID: 9, ActivityID: 3}},
	}))
	wantError(t, "renewal", p.RenewWorkItemLock(t.Context(), core.RenewLockParams{LockToken: running.LockToken, ExtendFor: lease}), core.ErrLockLost)
	equal(t, "what is left", core.WorkItem(activity(3)), mustFetchWork(t, p).Item)
}

func TestTags(t *testing.T) {
	t.Parallel()
	p := open(t)
	plain, empty, gpu, cpu := activity(1), activity(2), activity(3), activity(4)
	empty.Tag, gpu.Tag, cpu.Tag = ptr(""), ptr("gpu"), ptr("cpu")
	all := []core.ActivityExecuteItem{plain, empty, gpu, cpu}
	enqueueWork(t, p, all...)
	for _, filter := range []core.TagFilter{
		{}, {Mode: core.TagsOnly, Tags: []string{"gpu", "", "gpu"}}, {Mode: core.TagsDefaultAnd, Tags: []string{"cpu"}},
		{Mode: core.TagsAny}, {Mode: core.TagsNone},
	} {
		t.Run(fmt.Sprint(filter), func(t *testing.T) {
			var want, got []uint64
			for _, a := range all {
				if filter.Matches(a.Tag) {
					want = append(want, a.ID)
				}
			}
			var tokens []string
			for {
				item, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lease, Tags: filter})
				must(t, err)
				if item == nil {
					break
				}
				got = append(got, item.Item.(core.ActivityExecuteItem).ID)
				tokens = append(tokens, item.LockToken)
			}
			for _, token := range tokens {
				must(t, p.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: token}))
			}
			equal(t, "ids in order", want, got)
		})
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock := &shiftedClock{base: core.SystemClock()}
	p := open(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = clock })
	bound, plain := activity(1), activity(2)
	bound.SessionID = ptr("s")
	enqueueWork(t, p, bound, bound, plain)
	fetchAs := func(owner string) *core.LockedWorkItem {
		item, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{
			LockTimeout: time.Second, Session: &core.SessionFetchConfig{OwnerID: owner, LockTimeout: lease},
		})
		must(t, err)
		return item
	}
	equal(t, "without a session config", core.WorkItem(plain), mustFetchWork(t, p).Item)
	mine := fetchAs("a")
	equal(t, "claimed", core.WorkItem(bound), mine.Item)
	if other := fetchAs("b"); other != nil {
		t.Errorf("b fetched %v of a's session", other)
	}
	renew := func(owners ...string) uint64 {
		n, err := p.RenewSessionLock(ctx, core.RenewSessionLockParams{OwnerIDs: owners, ExtendFor: lease, IdleTimeout: lease})
		must(t, err)
		return n
	}
	equal(t, "renewed for nobody", 0, renew())
	equal(t, "renewed for another", 0, renew("b"))
	equal(t, "renewed", 1, renew("b", "a"))
	must(t, p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: mine.LockToken}))
	clock.shift(lease)
	equal(t, "renewed after expiry", 0, renew("a"))
	equal(t, "taken over", core.WorkItem(bound), fetchAs("b").Item)
	clock.shift(2 * lease)
	cleaned, err := p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{})
	must(t, err)
	equal(t, "cleaned while work refers to it", 0, cleaned)
	last := fetchAs("b")
	must(t, p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: last.LockToken}))
	clock.shift(2 * lease)
	cleaned, err = p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{})
	must(t, err)
	equal(t, "cleaned", 1, cleaned)
}

func TestUndecodableWorkDoesNotBlock(t *testing.T) {
	t.Parallel()
	p, db := openDB(t)
	enqueueWork(t, p, activity(1), activity(2))
	sql(t, db, `UPDATE @.worker_queue SET work_item = '{"FromTheFuture":{}}' WHERE id = (SELECT min(id) FROM @.worker_queue)`)
	_, err := p.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: lease})
	wantError(t, "fetch", err, core.ErrUndecodable)
	equal(t, "next", core.WorkItem(activity(2)), mustFetchWork(t, p).Item)
	equal(t, "attempts", 1, sqlValue[int](t, db, `SELECT attempt_count FROM @.worker_queue WHERE work_item LIKE '%Future%'`))
}

func TestWorkAbandonedWithDelay(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{base: core.SystemClock()}
	p := open(t, noLongPoll, func(o *pgprovider.Options) { o.Clock = clock })
	enqueueWork(t, p, activity(1))
	item := mustFetchWork(t, p)
	must(t, p.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: item.LockToken, Delay: time.Hour}))
	if fetchWork(t, p) != nil {
		t.Error("fetched early")
	}
	clock.shift(time.Hour)
	equal(t, "attempts", 2, mustFetchWork(t, p).AttemptCount)
}
