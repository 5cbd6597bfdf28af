package golden_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// stores opens a provider of each kind, with nothing in it.
var stores = map[string]func(*testing.T, core.Clock) core.Provider{
	"memprovider": func(_ *testing.T, clock core.Clock) core.Provider {
		return memprovider.New(&memprovider.Options{Clock: clock})
	},
	"sqliteprovider, file": func(t *testing.T, clock core.Clock) core.Provider {
		return openSQLite(t, filepath.Join(t.TempDir(), "test.db"), clock)
	},
	"sqliteprovider, memory": func(t *testing.T, clock core.Clock) core.Provider {
		return openSQLite(t, ":memory:", clock)
	},
	"pgprovider": func(t *testing.T, clock core.Clock) core.Provider {
		db := migrationstest.New(t)
		o := &pgprovider.Options{Schema: db.Schema, Clock: clock, LongPoll: pgprovider.LongPoll{Disabled: true}}
		p, err := pgprovider.NewFromURL(t.Context(), db.URL, o)
		must(t, err)
		t.Cleanup(func() { must(t, p.Close()) })
		return p
	},
}

func openSQLite(t *testing.T, path string, clock core.Clock) core.Provider {
	p, err := sqliteprovider.Open(t.Context(), path, &sqliteprovider.Options{Clock: clock, DisableLongPoll: true})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// TestWholeRuns runs the twins of the recorded orchestrations on the runtime and
// each provider. Clients, clock and activities act in the recorded order. Every
// turn must begin with what the recorded one began with and store what that one
// stored, and what is there at the end must be the same.
func TestWholeRuns(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachRecording(t, func(t *testing.T, r *recording) {
				clock := newClock()
				p := open(t, clock)
				if r.Name == "kv_remote_read" { // it reads what this one leaves
					play(t, load(t, filepath.Join(directory, "kv_set_get.json")), p, clock)
				}
				play(t, r, p, clock)
			})
		})
	}
}

// run is a whole run.
type run struct {
	*recording
	vary
	ctx     context.Context // ends after patience
	clock   *clock
	store   *conductor
	client  *durable.Client
	history map[string][]core.Event // what turns have stored, by execution
	timers  map[string]time.Time    // when they fire
}

func play(t *testing.T, rec *recording, p core.Provider, clock *clock) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := &run{
		recording: rec, vary: rec.varies(), ctx: ctx, clock: clock, store: newConductor(t, p), client: durable.NewClient(p, nil),
		history: map[string][]core.Event{}, timers: map[string]time.Time{},
	}
	if rec.Name == "queue_events_before_start" {
		r.sendOrphan(t)
	}
	deploy := func(stored int) func() { return startRuntime(t, r.store, clock, rec.Name, stored, r.store.end) }
	stop := deploy(0)
	finish := sync.OnceFunc(func() {
		close(r.store.end)
		stop()
	})
	defer finish()
	for i := range rec.Turns {
		u := &rec.Turns[i]
		if stored := len(u.Fetched.HistoryEventIDs); strings.HasPrefix(rec.Name, "nondet_") && stored >= changedAfter {
			stop()
			stop = deploy(stored)
		}
		if u.Fetched.AttemptCount == 1 {
			for _, message := range items(u.Fetched.Messages) {
				r.cause(t, message)
			}
		}
		r.step(t, fmt.Sprintf("turn %d of %s", i, u.Fetched.Instance), u)
		if t.Failed() {
			return
		}
	}
	finish()
	for _, in := range append([]instance{rec.instance}, rec.Related...) {
		r.checkEnd(t, p, in)
	}
}

// sendOrphan sends a message to an instance that is not there yet, and sees it
// dropped.
func (r *run) sendOrphan(t *testing.T) {
	must(t, r.client.EnqueueMessage(r.ctx, r.Instance, "in", "orphan"))
	item, err := r.store.Provider.FetchOrchestrationItem(r.ctx, core.FetchOrchestrationItemParams{LockTimeout: lease})
	if item != nil || err != nil {
		t.Fatalf("fetched %+v, %v, want the message dropped", item, err)
	}
}

// cause sees to it that a message of the next turn is there. What turns sent
// needs nothing.
func (r *run) cause(t *testing.T, message core.WorkItem) {
	switch m := message.(type) {
	case core.StartOrchestrationItem:
		if m.Instance == r.Instance {
			r.start(t, m)
		}
	case core.CancelInstanceItem:
		if m.Instance == r.Instance {
			must(t, r.client.Cancel(r.ctx, m.Instance, m.Reason))
		}
	case core.ExternalRaisedItem:
		must(t, r.client.RaiseEvent(r.ctx, m.Instance, m.Name, m.Data))
	case core.QueueMessageItem:
		must(t, r.client.EnqueueMessage(r.ctx, m.Instance, m.Name, m.Data))
	case core.TimerFiredItem:
		fires, ok := r.timers[timerKey(m)]
		if !ok {
			t.Fatalf("no turn has created the timer %+v", m)
		}
		r.clock.advance(fires.Sub(r.clock.Now()) + time.Millisecond)
	case core.ActivityCompletedItem, core.ActivityFailedItem:
		g := r.store.gate(m)
		close(g.opened)
		receive(t, r.ctx, fmt.Sprintf("the outcome %+v", m), g.passed)
	}
}

func (r *run) start(t *testing.T, m core.StartOrchestrationItem) {
	handle := durable.Orchestration[string, string](m.Orchestration)
	var err error
	if m.Version == nil {
		_, err = handle.Start(r.ctx, r.client, m.Instance, m.Input)
	} else {
		_, err = handle.Version(*m.Version).Start(r.ctx, r.client, m.Instance, m.Input)
	}
	must(t, err)
}

// step lets the runtime take a turn and compares it with the recorded one.
func (r *run) step(t *testing.T, what string, u *turn) {
	key := fmt.Sprint(u.Fetched.Instance, "#", u.Fetched.ExecutionID)
	r.store.next()
	fetched := receive(t, r.ctx, what+" is not fetched", r.store.turns)
	want := u.fetched(r.history[key])
	if want.HistoryOmitted = fetched.HistoryOmitted; want.HistoryOmitted {
		want.History = nil
	}
	equal(t, what+" began with", r.fetched(want), r.fetched(fetched))
	stored := receive(t, r.ctx, what+" has no answer", r.store.answers)
	equal(t, what+" stored", r.answer(u.answer()), r.answer(stored), cmpopts.EquateEmpty(), notRecorded)
	if stored.Ack == nil {
		return
	}
	key = fmt.Sprint(u.Fetched.Instance, "#", stored.Ack.ExecutionID)
	r.history[key] = append(r.history[key], stored.Ack.HistoryDelta...)
	for _, sent := range stored.Ack.OrchestratorItems {
		if m, ok := sent.(core.TimerFiredItem); ok {
			r.timers[timerKey(m)] = time.UnixMilli(int64(m.FireAtMs))
		}
	}
}

func timerKey(m core.TimerFiredItem) string {
	return fmt.Sprint(m.Instance, "#", m.ExecutionID, "#", m.ID)
}

// checkEnd compares what is stored of an instance.
func (r *run) checkEnd(t *testing.T, p core.Provider, want instance) {
	ctx := t.Context()
	admin, ok := core.Ability[core.AdminReader](p)
	if !ok {
		t.Fatal("the provider has no core.AdminReader")
	}
	ids, err := admin.ListExecutions(ctx, core.ListExecutionsParams{Instance: want.Instance})
	must(t, err)
	if len(ids) != len(want.Executions) {
		t.Errorf("%s has executions %v, want %d", want.Instance, ids, len(want.Executions))
	}
	for _, x := range want.Executions {
		what := fmt.Sprintf("execution %d of %s", x.ID, want.Instance)
		got, err := r.client.ExecutionHistory(ctx, want.Instance, x.ID)
		must(t, err)
		equal(t, what, r.events(events(x.Events)), r.events(got))
		info, err := admin.GetExecutionInfo(ctx, core.GetExecutionInfoParams{Instance: want.Instance, ExecutionID: x.ID})
		must(t, err)
		equal(t, "status of "+what, x.Status, string(info.Status))
		equal(t, "output of "+what, r.output(x.Output), r.output(info.Output))
	}

	status, err := r.client.Status(ctx, want.Instance)
	must(t, err)
	c := want.ClientStatus
	equal(t, "state", c.Kind, string(status.State))
	if c.Output != nil {
		equal(t, "output", *c.Output, status.Output)
	}
	if c.Details != nil {
		details, err := core.DecodeErrorDetails(c.Details)
		must(t, err)
		equal(t, "failure", r.details(details), r.details(status.Failure))
	}
	equal(t, "custom status", c.CustomStatus, status.CustomStatus)
	equal(t, "version of the custom status", c.CustomStatusVersion, status.CustomStatusVersion)
	kv, err := r.client.KVAll(ctx, want.Instance)
	must(t, err)
	equal(t, "key-values", want.ClientKV, kv, cmpopts.EquateEmpty())
}
