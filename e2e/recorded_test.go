package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// A recording is an execution that another runtime of the family began: what it
// stored after the start, what arrived since, and what must come of it here.
type recording struct {
	stamp   string // of the runtime that began it
	history []core.EventData
	batch   []core.WorkItem // in one turn
	code    func(ctx *durable.Context, in string) (string, error)
	want    string // the output, or
	fail    string // a part of the failure
}

// answers is an event that answers another one.
type answers struct {
	core.EventData
	source uint64
}

// record stores the recordings, each as the only instance of an orchestration of
// its name.
func (s *store) record(t *testing.T, recordings map[string]recording) {
	t.Helper()
	var acks []core.AckOrchestrationItemParams
	for id, r := range recordings {
		start := core.StartOrchestrationItem{Instance: id, Orchestration: id, Version: new("1.0.0"), ExecutionID: 1}
		must(t, s.p.EnqueueForOrchestrator(s.ctx, core.EnqueueForOrchestratorParams{Item: start}))
		item, err := s.p.FetchOrchestrationItem(s.ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Minute})
		must(t, err)
		if item == nil || item.Instance != id {
			t.Fatalf("fetched %+v, want %s", item, id)
		}
		ack := core.AckOrchestrationItemParams{
			LockToken: item.LockToken, ExecutionID: 1,
			Metadata: core.ExecutionMetadata{
				OrchestrationName: &id, OrchestrationVersion: start.Version, PinnedDuroxideVersion: new(core.MustParseVersion(r.stamp)),
			},
		}
		for _, m := range r.batch {
			ack.OrchestratorItems = append(ack.OrchestratorItems, to(id, m))
		}
		for i, data := range append([]core.EventData{core.OrchestrationStarted{Name: id, Version: "1.0.0"}}, r.history...) {
			ev := core.Event{ID: uint64(i + 1), InstanceID: id, ExecutionID: 1, TimestampMs: 1, DuroxideVersion: r.stamp, Data: data}
			if a, ok := data.(answers); ok {
				ev.Data, ev.SourceID = a.EventData, &a.source
			}
			ack.HistoryDelta = append(ack.HistoryDelta, ev)
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks { // now they can be fetched
		must(t, s.p.AckOrchestrationItem(s.ctx, ack))
	}
}

// to addresses a message to an instance.
func to(id string, item core.WorkItem) core.WorkItem {
	switch m := item.(type) {
	case core.TimerFiredItem:
		m.Instance, m.ExecutionID = id, 1
		return m
	case core.ExternalRaisedItem:
		m.Instance = id
		return m
	case core.QueueMessageItem:
		m.Instance = id
		return m
	}
	panic("no such message")
}

// Races that another runtime began are decided as it would have decided them, and
// again so by a runtime that has nothing but the history.
func TestRecordedRaces(t *testing.T) {
	const now, before = "0.1.31", "0.1.30" // the rules changed in between
	q, e, timer := core.QueueSubscribed{Name: "q"}, core.ExternalSubscribed{Name: "e"}, core.TimerCreated{FireAtMs: 1}
	fired := func(id uint64) core.WorkItem { return core.TimerFiredItem{ID: id, FireAtMs: 1} }
	message := func(text string) core.WorkItem { return core.QueueMessageItem{Name: "q", Data: text} }
	signal := func(text string) core.WorkItem { return core.ExternalRaisedItem{Name: "e", Data: text} }
	dequeue := func(ctx *durable.Context) *durable.Future[string] { return durable.Dequeue[string](ctx, "q") }
	wait := func(ctx *durable.Context) *durable.Future[string] { return durable.WaitEvent[string](ctx, "e") }
	hour := func(ctx *durable.Context) *durable.Future[struct{}] { return ctx.Timer(time.Hour) }
	// then goes on after a race with reads of the queue, waits until another
	// runtime has taken over, and reads the end.
	then := func(ctx *durable.Context, winner int, queues ...string) (string, error) {
		out, err := reads(ctx, queues...)
		if err != nil {
			return "", err
		}
		waits(ctx)
		end, err := reads(ctx, "end")
		return strings.TrimSpace(fmt.Sprint(winner, " ", out)) + " " + end, err
	}
	afterTimer := func(ctx *durable.Context, _ string) (string, error) {
		return then(ctx, durable.Race(ctx, dequeue(ctx), hour(ctx)), "q")
	}
	secondOfTwo := func(ctx *durable.Context, _ string) (string, error) {
		a, b := dequeue(ctx), dequeue(ctx)
		winner := durable.Race(ctx, a, hour(ctx))
		x, err := b.Await(ctx)
		if err != nil {
			return "", err
		}
		end, err := then(ctx, winner)
		return x + " " + end, err
	}
	signalOrTimer := func(ctx *durable.Context, _ string) (string, error) {
		first := wait(ctx)
		if durable.Race(ctx, first, hour(ctx)) == 0 {
			s, err := first.Await(ctx)
			if err != nil {
				return "", err
			}
			end, err := then(ctx, 0)
			return s + " " + end, err
		}
		again := wait(ctx)
		waits(ctx)
		winner := durable.Race(ctx, again, durable.Dequeue[string](ctx, "end"))
		return []string{"found", "lost"}[winner], nil
	}
	three := func(ctx *durable.Context, _ string) (string, error) {
		s, m := wait(ctx), dequeue(ctx)
		winner := durable.Race(ctx, s, m, hour(ctx))
		if winner == 1 {
			return then(ctx, winner)
		}
		return then(ctx, winner, "q")
	}
	// handedOn is what the rules of before come to when the timer fires before the
	// message: the message is for the dequeue after the race. With them, a replay
	// keeps it for the one that lost, until it meets the row that gives that up.
	handedOn := []core.EventData{
		q, timer, answers{core.TimerFired{FireAtMs: 1}, 3}, core.QueueEventDelivered{Name: "q", Data: "m"}, q,
		core.CustomStatusUpdated{Status: new("waits")}, core.QueueSubscribed{Name: "end"},
		answers{core.QueueSubscriptionCancelled{Reason: "dropped_future"}, 2},
	}
	// holding leaves its first dequeue unread, reads the second, and continues as
	// new with what it read.
	holding := func(name string) func(ctx *durable.Context, in string) (string, error) {
		return func(ctx *durable.Context, in string) (string, error) {
			if ctx.ExecutionID() == 3 {
				out, err := reads(ctx, "q", "other")
				if err != nil {
					return "", err
				}
				_, err = then(ctx, 0)
				return in + " " + out, err
			}
			dequeue(ctx)
			m, err := dequeue(ctx).Await(ctx)
			if err != nil {
				return "", err
			}
			return "", durable.Orchestration[string, string](name).ContinueAsNew(strings.TrimSpace(in + " " + m))
		}
	}
	four := func() []core.WorkItem {
		return []core.WorkItem{message("1"), message("2"), core.QueueMessageItem{Name: "other", Data: "x"}, message("3"), message("4")}
	}
	recordings := map[string]recording{
		"two dequeues lose": {stamp: now, history: []core.EventData{q, q, timer}, batch: []core.WorkItem{fired(4), message("1"), message("2")},
			code: func(ctx *durable.Context, _ string) (string, error) {
				return then(ctx, durable.Race(ctx, dequeue(ctx), dequeue(ctx), hour(ctx)), "q", "q")
			}, want: "2 1 2 end"},
		"the first of two dequeues wins": {stamp: now, history: []core.EventData{q, q}, batch: []core.WorkItem{message("1"), message("2")},
			code: func(ctx *durable.Context, _ string) (string, error) {
				return then(ctx, durable.Race(ctx, dequeue(ctx), dequeue(ctx)), "q")
			}, want: "0 2 end"},
		"a race inside a race": {stamp: now, history: []core.EventData{timer, q, timer}, batch: []core.WorkItem{fired(4), message("1"), fired(2)},
			code: func(ctx *durable.Context, _ string) (string, error) {
				inner := durable.Go(ctx, func(ctx *durable.Context) (int, error) { return durable.Race(ctx, dequeue(ctx), hour(ctx)), nil })
				if durable.Race(ctx, inner, hour(ctx)) == 1 {
					return "", errors.New("the outer timer won")
				}
				winner, err := inner.Await(ctx)
				if err != nil {
					return "", err
				}
				return then(ctx, winner, "q")
			}, want: "1 1 end"},
		"a signal before the timer": {stamp: now, history: []core.EventData{e, timer}, batch: []core.WorkItem{signal("s"), fired(3)}, code: signalOrTimer, want: "s 0 end"},
		"a signal after the timer":  {stamp: now, history: []core.EventData{e, timer}, batch: []core.WorkItem{fired(3), signal("s")}, code: signalOrTimer, want: "lost"},
		"timer, signal, message": {stamp: now, history: []core.EventData{e, q, timer}, batch: []core.WorkItem{fired(4), signal("s"), message("m")},
			code: three, want: "2 m end"},
		"message, signal, timer": {stamp: now, history: []core.EventData{e, q, timer}, batch: []core.WorkItem{message("m"), signal("s"), fired(4)},
			code: three, want: "1 end"},

		"the second of two dequeues, as before": {stamp: before, history: []core.EventData{q, q, timer},
			batch: []core.WorkItem{fired(4), message("1"), message("2")}, code: secondOfTwo, want: "2 1 end"},
		"the second of two dequeues, as now": {stamp: now, history: []core.EventData{q, q, timer},
			batch: []core.WorkItem{fired(4), message("1"), message("2")}, code: secondOfTwo, want: "1 1 end"},
		"a message before the timer, as before": {stamp: before, history: []core.EventData{q, timer},
			batch: []core.WorkItem{message("0"), fired(3), message("1")}, code: afterTimer, want: "0 1 end"},
		"a message handed on, as before": {stamp: before, history: handedOn, code: afterTimer, batch: []core.WorkItem{message("late")},
			fail: `a dequeue from "end" is recorded, but the code asked for nothing (event 8`},
		"a message handed on, as now": {stamp: now, history: handedOn, code: afterTimer, batch: []core.WorkItem{message("late")}, want: "1 m end"},

		// The first execution carries by count, its successors what is unread.
		"carried as before, then as now": {stamp: before, batch: four(), code: holding("carried as before, then as now"), want: "2 4 3 x"},
		"carried as now":                 {stamp: now, batch: four(), code: holding("carried as now"), want: "2 3 1 x"},
	}
	onEachStore(t, func(t *testing.T, s *store) {
		s.record(t, recordings)
		var code []durable.Registration
		for name, r := range recordings {
			code = append(code, durable.Orchestration[string, string](name).With(r.code))
		}
		o := &durable.Options{Nondeterminism: durable.Fail}
		first := runOn(t, s.p, o, code...)
		for id, r := range recordings {
			if r.fail == "" {
				s.whenItWaits(t, id)
			}
		}
		must(t, first.Shutdown(s.ctx))
		runOn(t, s.p, o, code...)
		for id, r := range recordings {
			must(t, s.client.EnqueueMessage(s.ctx, id, "end", "end"))
			status, err := s.client.Wait(s.ctx, id)
			must(t, err)
			switch {
			case r.fail == "":
				if status.Failure != nil {
					t.Errorf("%s: %v, want output %q", id, status.Failure, r.want)
				}
				equal(t, id, r.want, status.Output)
			case status.Failure == nil || !strings.Contains(status.Failure.Error(), r.fail):
				t.Errorf("%s: %+v, want a failure with %q", id, status, r.fail)
			}
			history, err := s.client.ExecutionHistory(s.ctx, id, 1)
			must(t, err)
			for i, ev := range history {
				if i <= len(r.history) {
					equal(t, id+": stamp of what was there", r.stamp, ev.DuroxideVersion)
				} else {
					equal(t, id+": stamp of what is new", "0.1.32", ev.DuroxideVersion)
				}
			}
		}
	})
}
