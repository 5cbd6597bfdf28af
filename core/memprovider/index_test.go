package memprovider

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func TestHeap(t *testing.T) {
	t.Parallel()
	type item struct {
		key int
		at  place[*item]
	}
	h := minHeap[*item]{
		less:  func(a, b *item) bool { return a.key < b.key },
		place: func(i *item) *place[*item] { return &i.at },
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []*item
	for range 5000 {
		switch n := rnd.IntN(10); {
		case n < 5 || len(all) == 0:
			i := &item{key: rnd.IntN(100)}
			h.push(i)
			all = append(all, i)
		case n < 7:
			i := all[rnd.IntN(len(all))]
			i.key = rnd.IntN(100)
			h.fix(i)
		default:
			n := rnd.IntN(len(all))
			all[n].at.leave(all[n])
			all[n].at.leave(all[n]) // a second time does nothing
			all = slices.Delete(all, n, n+1)
		}
		top, ok := h.top()
		if ok != (len(all) > 0) || h.len() != len(all) {
			t.Fatalf("heap of %d, want %d", h.len(), len(all))
		}
		if ok {
			if want := slices.MinFunc(all, func(a, b *item) int { return cmp.Compare(a.key, b.key) }); top.key != want.key {
				t.Fatalf("top %d, want %d", top.key, want.key)
			}
		}
	}
	last := -1
	for h.len() > 0 {
		i := h.pop()
		if i.key < last || i.at.heap != nil {
			t.Fatalf("popped %d after %d", i.key, last)
		}
		last = i.key
	}
}

// Random calls, and after each the index answers as a scan of everything
// under the words of the contract does.
func TestIndexAgreesWithAScan(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed_", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &monkey{t: t, p: New(nil), rnd: rand.New(rand.NewPCG(seed, 7))}
				for range 3000 {
					m.step()
					m.compare()
				}
				if m.turns < 100 || m.activities < 100 {
					t.Errorf("only %d turns and %d activities", m.turns, m.activities)
				}
			})
		})
	}
}

type monkey struct {
	t                 *testing.T
	p                 *Provider
	rnd               *rand.Rand
	turns, activities int
	turnTokens        []string
	workTokens        []string
}

// pick returns one of the choices.
func pick[T any](m *monkey, choices ...T) T { return choices[m.rnd.IntN(len(choices))] }

func (m *monkey) duration() time.Duration { return time.Duration(m.rnd.IntN(50)) * time.Millisecond }

func (m *monkey) label(choices ...string) *string {
	if n := m.rnd.IntN(len(choices) + 1); n > 0 {
		return &choices[n-1]
	}
	return nil
}

func (m *monkey) activity() core.ActivityExecuteItem {
	return core.ActivityExecuteItem{
		Instance: "a", ID: uint64(m.rnd.IntN(30)), SessionID: m.label("r", "s", ""), Tag: m.label("gpu", "cpu"),
	}
}

func (m *monkey) instance() string { return pick(m, "a", "b", "c", "d", "e", "f") }

func (m *monkey) filter() *core.CapabilityFilter {
	v := func() core.Version { return core.Version{Minor: uint64(m.rnd.IntN(4))} }
	return pick(m, nil, &core.CapabilityFilter{}, &core.CapabilityFilter{
		SupportedVersions: []core.VersionRange{{Min: v(), Max: v()}, {Max: v()}},
	})
}

func (m *monkey) tags() core.TagFilter {
	set := []string{pick(m, "gpu", "cpu"), pick(m, "gpu", "cpu")}
	return pick(m, core.TagFilter{}, core.TagFilter{Mode: core.TagsOnly, Tags: set},
		core.TagFilter{Mode: core.TagsDefaultAnd, Tags: set}, core.TagFilter{Mode: core.TagsAny}, core.TagFilter{Mode: core.TagsNone})
}

func (m *monkey) owner() *core.SessionFetchConfig {
	return pick(m, nil, &core.SessionFetchConfig{OwnerID: pick(m, "x", "y"), LockTimeout: m.duration() + 1})
}

// step makes one random call; lost locks and the like are expected.
func (m *monkey) step() {
	ctx, p := m.t.Context(), m.p
	abandon := core.AbandonParams{Delay: m.duration(), IgnoreAttempt: m.rnd.IntN(2) == 0}
	renew := core.RenewLockParams{ExtendFor: m.duration() + 1}
	if len(m.turnTokens) > 0 {
		abandon.LockToken = pick(m, m.turnTokens...)
	}
	if len(m.workTokens) > 0 {
		renew.LockToken = pick(m, m.workTokens...)
	}
	switch m.rnd.IntN(17) {
	case 0:
		time.Sleep(m.duration())
	case 1, 2:
		_ = p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{
			Item: core.CancelInstanceItem{Instance: m.instance()}, Delay: m.duration(),
		})
	case 3:
		_ = p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: core.QueueMessageItem{Instance: m.instance()}})
	case 4, 5:
		_ = p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: m.activity()})
	case 6, 7:
		item, _ := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: m.duration() + 1, Filter: m.filter()})
		if item != nil {
			m.turns++
			m.turnTokens = append(m.turnTokens, item.LockToken)
		}
	case 8, 9:
		item, _ := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: m.duration() + 1, Session: m.owner(), Tags: m.tags()})
		if item != nil {
			m.activities++
			m.workTokens = append(m.workTokens, item.LockToken)
		}
	case 10:
		name := "n"
		_ = p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{
			LockToken: abandon.LockToken, ExecutionID: 1 + m.rnd.Uint64N(2),
			WorkerItems: []core.WorkItem{m.activity(), m.activity()},
			OrchestratorItems: []core.WorkItem{core.TimerFiredItem{
				Instance: m.instance(), FireAtMs: core.Milliseconds(time.Now().Add(m.duration())),
			}},
			CancelledActivities: []core.ActivityIdentifier{{Instance: "a", ActivityID: m.rnd.Uint64N(30)}},
			Metadata: core.ExecutionMetadata{
				OrchestrationName: &name, OrchestrationVersion: &name,
				PinnedDuroxideVersion: pick(m, nil, &core.Version{Minor: m.rnd.Uint64N(4)}),
			},
		})
	case 11:
		_ = p.AbandonOrchestrationItem(ctx, abandon)
	case 12:
		_ = p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{LockToken: abandon.LockToken, ExtendFor: m.duration() + 1})
	case 13:
		_ = p.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: renew.LockToken})
	case 14:
		_ = p.RenewWorkItemLock(ctx, renew)
		abandon.LockToken = renew.LockToken
		if m.rnd.IntN(2) == 0 {
			_ = p.AbandonWorkItem(ctx, abandon)
		}
	case 15:
		_, _ = p.RenewSessionLock(ctx, core.RenewSessionLockParams{OwnerIDs: []string{"x"}, ExtendFor: renew.ExtendFor, IdleTimeout: m.duration()})
		_, _ = p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{})
	case 16:
		if m.rnd.IntN(4) == 0 {
			_, _ = p.DeleteInstancesAtomic(ctx, core.DeleteInstancesAtomicParams{Instances: []string{m.instance()}, Force: true})
		}
		_, _ = p.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: m.instance()})
	}
}

func (m *monkey) compare() {
	now := core.Milliseconds(time.Now())
	filter, tags, owner := m.filter(), m.tags(), m.owner()
	if got, _ := m.p.turns.candidate(filter, now); got != m.scanTurns(filter, now) {
		m.t.Fatalf("turn %+v, want %+v", got, m.scanTurns(filter, now))
	}
	if got, _ := m.p.work.candidate(tags, owner, now); got != m.scanWork(tags, owner, now) {
		m.t.Fatalf("activity %+v, want %+v", got, m.scanWork(tags, owner, now))
	}
	locked := 0
	for token, i := range m.p.turns.tokens {
		if token == "" || i.token != token {
			m.t.Fatalf("token %q leads to %+v", token, i)
		}
		locked += len(i.batch)
	}
	queued := 0
	for id, s := range m.p.work.sessions {
		if s.refs == 0 && !s.claimed {
			m.t.Fatalf("session %q is left behind", id)
		}
		queued += s.refs
	}
	total := 0
	for _, same := range m.p.work.identities {
		total += len(same)
	}
	if queued+m.p.work.none.refs != total {
		m.t.Fatalf("%d activities, sessions say %d", total, queued+m.p.work.none.refs)
	}
}

// scanTurns is contract 3.1 step 1 in words of its own.
func (m *monkey) scanTurns(f *core.CapabilityFilter, now uint64) (best *instance) {
	var oldest *message
	for _, i := range m.p.instances {
		if i.token != "" && i.lockedUntil > now {
			continue
		}
		if f != nil {
			if len(f.SupportedVersions) == 0 {
				continue
			}
			v, r := i.pinned(), f.SupportedVersions[0]
			if v.set && (v.packed < r.Min.Packed() || v.packed > r.Max.Packed()) {
				continue
			}
		}
		for _, msg := range slices.Concat(i.waiting.items, i.batch) {
			if msg.visibleAt <= now && (oldest == nil || older(msg, oldest)) {
				best, oldest = i, msg
			}
		}
	}
	return best
}

// scanWork is contract 3.8 steps 2 and 3 in words of its own.
func (m *monkey) scanWork(f core.TagFilter, owner *core.SessionFetchConfig, now uint64) (best *activity) {
	for _, same := range m.p.work.identities {
		for _, a := range same {
			eligible := a.visibleAt <= now && a.lockedUntil <= now && f.Matches(a.item.Tag)
			if a.item.SessionID != nil {
				s := m.p.work.sessions[*a.item.SessionID]
				live := s.claimed && s.lockedUntil > now
				eligible = eligible && owner != nil && (!live || s.owner == owner.OwnerID)
			}
			if eligible && (best == nil || a.id < best.id) {
				best = a
			}
		}
	}
	return best
}
