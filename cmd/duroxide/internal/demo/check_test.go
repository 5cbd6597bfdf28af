package demo

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// finished runs a few orders to their end, in memory.
func finished(t *testing.T) ([]record, *orders.MemoryLedger) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	good, _, err := orders.Parse(orders.Sample())
	if err != nil {
		t.Fatal(err)
	}
	ledger := &orders.MemoryLedger{}
	reg := durable.NewRegistry()
	if err := orders.Register(reg, orders.Deps{Ledger: ledger, Worker: "worker-1"}); err != nil {
		t.Fatal(err)
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Start(ctx); err != nil {
		t.Fatal(err)
	}
	s := &show{client: durable.NewClient(provider, nil)}
	policy := orders.Policy{ApprovalAbove: 1_000_00, ApprovalWithin: 10 * time.Millisecond}
	for _, order := range good[:20] {
		if _, err := orders.Checkout.Start(ctx, s.client, order.ID, orders.Request{Order: order, Policy: policy}); err != nil {
			t.Fatal(err)
		}
	}
	var records []record
	for _, order := range good[:20] {
		if _, err := s.client.Wait(ctx, order.ID); err != nil {
			t.Fatal(err)
		}
		r, err := s.load(ctx, order)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := rt.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	return records, ledger
}

func TestJudge(t *testing.T) {
	t.Parallel()
	records, ledger := finished(t)
	first := func(kind orders.Kind, entries []orders.Entry) int {
		i := slices.IndexFunc(entries, func(e orders.Entry) bool { return e.Kind == kind })
		if i < 0 {
			t.Fatalf("no entry is %s", kind)
		}
		return i
	}
	for name, test := range map[string]struct {
		tamper func([]orders.Entry) []orders.Entry
		want   []string // parts of the differences
	}{
		"untouched": {tamper: func(e []orders.Entry) []orders.Entry { return e }},
		"charged twice": {
			tamper: func(entries []orders.Entry) []orders.Entry {
				again := entries[first(orders.Charged, entries)]
				again.Key += "x"
				return append(entries, again)
			},
			want: []string{"the ledger says charged", "charged 2 times"},
		},
		"charged too much": {
			tamper: func(entries []orders.Entry) []orders.Entry {
				entries[first(orders.Charged, entries)].Amount++
				return entries
			},
			want: []string{"history says charged", "EUR"},
		},
		"shipment lost": {
			tamper: func(entries []orders.Entry) []orders.Entry {
				i := first(orders.Shipped, entries)
				return slices.Delete(entries, i, i+1)
			},
			want: []string{"the ledger has nothing", "shipped 0 times"},
		},
		"not released": {
			tamper: func(entries []orders.Entry) []orders.Entry {
				i := first(orders.Released, entries)
				return slices.Delete(entries, i, i+1)
			},
			want: []string{"history says released", "is still reserved"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := judge(records, test.tamper(ledger.Entries()), ledger.Deliveries())
			if err != nil {
				t.Fatal(err)
			}
			if len(v.differences) != len(test.want) {
				t.Fatalf("differences: %q", v.differences)
			}
			for i, want := range test.want {
				if !strings.Contains(v.differences[i], want) {
					t.Errorf("difference %q has no %q", v.differences[i], want)
				}
			}
			if v.effects == 0 || len(v.redelivered) != 0 {
				t.Errorf("%d effects, redelivered %v", v.effects, v.redelivered)
			}
		})
	}
}

func TestJudgeCountsRedeliveries(t *testing.T) {
	t.Parallel()
	v, err := judge(nil, nil, []orders.Delivery{
		{Key: "a", Attempt: 1}, {Key: "b", Attempt: 1}, {Key: "a", Attempt: 2}, {Key: "a", Attempt: 3},
	})
	if err != nil || len(v.redelivered) != 1 {
		t.Errorf("redelivered %v, error %v", v.redelivered, err)
	}
}

func TestJudgeFailedOrchestration(t *testing.T) {
	t.Parallel()
	r := record{order: orders.Order{ID: "a"}, failure: core.ApplicationError{Kind: core.KindPanicked, Message: "boom"}}
	v, err := judge([]record{r}, nil, nil)
	if err != nil || len(v.differences) != 1 || v.differences[0] != "a: the orchestration failed: orchestration panicked: boom" {
		t.Errorf("differences %q, error %v", v.differences, err)
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	records, ledger := finished(t)
	i := slices.IndexFunc(records, func(r record) bool { return r.result.Outcome == orders.Completed })
	r := records[i]
	deliveries := ledger.Deliveries()
	twice := deliveries[slices.IndexFunc(deliveries, func(d orders.Delivery) bool {
		return d.Instance == r.order.ID && d.Activity == string(orders.Charge)
	})]
	twice.Attempt, twice.Worker = 2, "worker-2"
	c := &crash{victim: &worker{name: "worker-1"}, lost: []running{{Key: twice.Key, Instance: r.order.ID, Acted: true}}}
	if picked := pick(records, c); picked.order.ID != r.order.ID {
		t.Errorf("picked %s, not %s, which the crash hit", picked.order.ID, r.order.ID)
	}
	lines := timeline(r, newNotes(ledger.Entries(), append(deliveries, twice), c))
	var all []string
	children := 0
	for _, l := range lines {
		all = append(all, l.text)
		if l.child {
			children++
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		"orchestration checkout 1.0.0 starts\nstatus: validating\n→ validate",
		"✓ charge   ← delivered to worker-1 (killed), then worker-2; worker-1 did it",
		"→ sub-orchestration shipment as " + r.order.ID + "/shipment",
		"✓ sub-orchestration shipment: DX",
		"ends: {outcome:completed,",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if children != len(r.child) || len(lines) != len(r.history)+len(r.child) {
		t.Errorf("%d lines, %d of the child", len(lines), children)
	}
}
