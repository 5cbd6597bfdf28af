package validation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// owner draws nobody or one of two owners. What the second one claims is short,
// if anything is.
func (w *walk) owner(n int) (string, *core.SessionFetchConfig, *modelClaim) {
	switch {
	case n == 0:
		return "", nil, nil
	case n == 1 || !w.ticks || w.patient:
		owner := w.prefix + fmt.Sprint("owner", n)
		return owner, by(owner, forAges), &modelClaim{owner, never}
	}
	owner := w.prefix + "owner2"
	d, until := w.shortly()
	return owner, by(owner, d), &modelClaim{owner, until}
}

func (w *walk) stepFetchWork(tags core.TagFilter, n int) bool {
	owner, session, claim := w.owner(n)
	lease, until := w.lease()
	w.say("fetch an activity for %v as %q with tags %d %q", lease, owner, tags.Mode, tags.Tags)
	got, err := w.p.FetchWorkItem(w.t.ctx, core.FetchWorkItemParams{LockTimeout: lease, Session: session, Tags: tags})
	w.must(err)
	want := w.eligible(tags, owner)
	if got == nil {
		if want != nil {
			w.wrong("fetched nothing, want %s", show(want.item))
		}
		return false
	}
	w.log[len(w.log)-1] += fmt.Sprintf(": %d with %s", got.Item.(core.ActivityExecuteItem).ID, got.LockToken)
	if want == nil {
		w.wrong("fetched %s, want nothing", show(got.Item))
	}
	if got.LockToken == "" || slices.Contains(w.works, got.LockToken) {
		w.wrong("the token %q is not new", got.LockToken)
	}
	w.fetchWork(want, got.LockToken, until, claim)
	same(w, "activity", got, &core.LockedWorkItem{Item: want.item, LockToken: got.LockToken, AttemptCount: want.attempts})
	return true
}

func (w *walk) stepAckWork() {
	token := w.token(w.works)
	act := w.byWork(token)
	completes := w.r.IntN(3) > 0
	item := activity(w.ids[0], 1)
	if act != nil {
		item = act.item
	}
	if i := w.instances[item.Instance]; !i.created && len(i.messages) == 0 {
		completes = false // what becomes of a completion for nobody is open
	}
	var completion core.WorkItem
	if completes {
		completion = completed(item.Instance, item.ID)
	}
	w.say("acknowledge activity %q, completing it: %t", token, completes)
	err := w.p.AckWorkItem(w.t.ctx, core.AckWorkItemParams{LockToken: token, Completion: completion})
	if act == nil || act.until <= w.tick {
		w.wantErr(err, core.ErrLockLost)
		return
	}
	w.must(err)
	w.remove(act)
	if completes {
		w.send(completion, 0)
	}
}

func (w *walk) stepAbandonWork() {
	token := w.token(w.works)
	d, visible := w.delay()
	ignore := w.r.IntN(2) == 0
	w.say("abandon activity %q, hidden for %v, ignoring the attempt: %t", token, d, ignore)
	err := w.p.AbandonWorkItem(w.t.ctx, core.AbandonParams{LockToken: token, Delay: d, IgnoreAttempt: ignore})
	act := w.byWork(token)
	if act == nil {
		w.wantErr(err, core.ErrLockLost)
		return
	}
	w.must(err)
	act.token, act.visible = "", visible
	if ignore {
		act.attempts--
	}
}

func (w *walk) stepRenewWork() {
	token := w.token(w.works)
	w.say("renew activity %q", token)
	err := w.p.RenewWorkItemLock(w.t.ctx, core.RenewLockParams{LockToken: token, ExtendFor: forAges})
	if act := w.byWork(token); act != nil && act.until > w.tick {
		w.must(err)
		act.until = never
		return
	}
	w.wantErr(err, core.ErrLockLost)
}

func (w *walk) stepRenewSessions() {
	owner, _, _ := w.owner(1 + w.r.IntN(2))
	idle := forAges
	if w.r.IntN(4) == 0 {
		idle = 0
	}
	w.say("renew the sessions of %q, idle after %v", owner, idle)
	n, err := w.p.RenewSessionLock(w.t.ctx, core.RenewSessionLockParams{
		OwnerIDs: []string{owner, w.prefix + "stranger"}, ExtendFor: forAges, IdleTimeout: idle,
	})
	w.must(err)
	var want uint64
	for _, c := range w.sessions {
		if c.owner == owner && c.until > w.tick && idle > 0 {
			c.until = never
			w.patient = true // whether a claim can be made shorter is open
			want++
		}
	}
	same(w, "renewed sessions", n, want)
}

func (w *walk) stepCleanUp() {
	w.say("clean up sessions")
	n, err := w.p.CleanupOrphanedSessions(w.t.ctx, core.CleanupOrphanedSessionsParams{IdleTimeout: forAges})
	w.must(err)
	same(w, "sessions cleaned up", n, w.cleanUp())
}

// drain ends what is under way and takes what is left: nothing that the model
// knows is lost, and nothing that it does not know is there.
func (w *walk) drain() {
	w.stepWait()
	for _, id := range w.ids {
		w.look(w.instances[id])
		if token := w.instances[id].token; token != "" {
			w.say("abandon %q", token)
			w.must(w.p.AbandonOrchestrationItem(w.t.ctx, core.AbandonParams{LockToken: token}))
			w.abandonTurn(w.instances[id], 0, false)
		}
	}
	for _, act := range w.activities {
		if act.token != "" {
			w.say("abandon activity %q", act.token)
			w.must(w.p.AbandonWorkItem(w.t.ctx, core.AbandonParams{LockToken: act.token}))
			act.token, act.visible = "", 0
		}
	}
	for n := range 3 {
		for w.stepFetchWork(core.TagFilter{Mode: core.TagsAny}, n) {
			w.must(w.p.AckWorkItem(w.t.ctx, core.AckWorkItemParams{LockToken: w.works[len(w.works)-1]}))
			w.remove(w.byWork(w.works[len(w.works)-1]))
		}
	}
	for w.stepFetchTurn(nil) {
		i := w.byTurn(w.turns[len(w.turns)-1])
		a := ack{}
		if !i.created {
			a.meta = named("TestOrch", "1.0.0")
		}
		w.must(w.t.tryAckOn(w.p, &core.OrchestrationItem{LockToken: i.token}, i.current, a))
		w.ackTurn(i, i.current, a)
	}
}

// show describes an item.
func show(item core.WorkItem) string {
	a, ok := item.(core.ActivityExecuteItem)
	if !ok {
		text, err := core.EncodeWorkItem(item)
		return string(text) + errorText(err)
	}
	s := fmt.Sprintf("activity %d of %s", a.ID, a.Instance)
	if a.Tag != nil {
		s += fmt.Sprintf(" with tag %q", *a.Tag)
	}
	if a.SessionID != nil {
		s += fmt.Sprintf(" of session %q", *a.SessionID)
	}
	return s
}

func showFilter(f *core.CapabilityFilter) string {
	if f == nil {
		return "no filter"
	}
	return fmt.Sprintf("the filter %v", f.SupportedVersions)
}

// showAck describes what an acknowledgement says.
func showAck(a ack) string {
	var parts []string
	for _, e := range a.events {
		text, err := core.EncodeEvent(e)
		parts = append(parts, "event "+string(text)+errorText(err))
	}
	for _, item := range a.work {
		parts = append(parts, "schedule "+show(item))
	}
	for _, item := range a.messages {
		parts = append(parts, "send "+show(item))
	}
	for _, id := range a.cancelled {
		parts = append(parts, fmt.Sprintf("cancel activity %d of %s", id.ActivityID, id.Instance))
	}
	if a.meta.Status != "" {
		parts = append(parts, "status "+string(a.meta.Status))
	}
	if a.meta.PinnedDuroxideVersion != nil {
		parts = append(parts, fmt.Sprint("pinned to ", *a.meta.PinnedDuroxideVersion))
	}
	return strings.Join(parts, "; ")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
