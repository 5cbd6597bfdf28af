package validation

import (
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// take says how to fetch an activity.
type take struct {
	lease   time.Duration // 0 for longLease
	session *core.SessionFetchConfig
	tags    core.TagFilter
}

// by claims sessions for an owner, for that long.
func by(owner string, lease time.Duration) *core.SessionFetchConfig {
	return &core.SessionFetchConfig{OwnerID: owner, LockTimeout: lease}
}

// tags takes what is tagged with one of them.
func tags(names ...string) core.TagFilter { return core.TagFilter{Mode: core.TagsOnly, Tags: names} }

// tryWork tries to fetch an activity without waiting; nil if there is none.
func (t *trial) tryWork(how take) *core.LockedWorkItem {
	if how.lease == 0 {
		how.lease = longLease
	}
	item, err := t.p.FetchWorkItem(t.ctx, core.FetchWorkItemParams{LockTimeout: how.lease, Session: how.session, Tags: how.tags})
	t.check("fetch_work_item", err)
	if item != nil && item.LockToken == "" {
		t.fatalf("fetched %v without a lock token", item.Item)
	}
	return item
}

// work fetches the activity with that id, which must be there and first.
func (t *trial) work(id uint64, how take) *core.LockedWorkItem {
	item := t.tryWork(how)
	if item == nil {
		t.fatalf("fetched no activity, want %d", id)
	}
	if got := t.activityOf(item); got.ID != id {
		t.fatalf("fetched activity %d, want %d", got.ID, id)
	}
	return item
}

// activityOf returns the activity that was fetched.
func (t *trial) activityOf(item *core.LockedWorkItem) core.ActivityExecuteItem {
	a, ok := item.Item.(core.ActivityExecuteItem)
	if !ok {
		t.fatalf("fetched %T from the worker queue, want an activity", item.Item)
	}
	return a
}

// noWork fails if there is an activity to fetch; because says why there must be
// none.
func (t *trial) noWork(how take, because string) {
	if item := t.tryWork(how); item != nil {
		t.fatalf("fetched activity %d, want nothing: %s", t.activityOf(item).ID, because)
	}
}

// tryAckWork acknowledges an activity, with its completion unless it is nil.
func (t *trial) tryAckWork(item *core.LockedWorkItem, completion core.WorkItem) error {
	return t.p.AckWorkItem(t.ctx, core.AckWorkItemParams{LockToken: item.LockToken, Completion: completion})
}

func (t *trial) ackWork(item *core.LockedWorkItem, completion core.WorkItem) {
	t.check("ack_work_item", t.tryAckWork(item, completion))
}

func (t *trial) abandonWork(item *core.LockedWorkItem, delay time.Duration, ignoreAttempt bool) {
	t.check("abandon_work_item", t.p.AbandonWorkItem(t.ctx, core.AbandonParams{
		LockToken: item.LockToken, Delay: delay, IgnoreAttempt: ignoreAttempt,
	}))
}

func (t *trial) tryRenewWork(token string, d time.Duration) error {
	return t.p.RenewWorkItemLock(t.ctx, core.RenewLockParams{LockToken: token, ExtendFor: d})
}

func (t *trial) renewWork(item *core.LockedWorkItem, d time.Duration) {
	t.check("renew_work_item_lock", t.tryRenewWork(item.LockToken, d))
}

// wantAttempt compares the attempt count of a fetch.
func (t *trial) wantAttempt(got, want uint32) {
	if got != want {
		t.fatalf("attempt count %d, want %d", got, want)
	}
}
