package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// pick returns the record that is worth showing: one that the crash hit, if
// possible after an activity had acted, if possible completed, with most events.
func pick(records []record, c *crash) record {
	rank := map[string]int{}
	if c != nil {
		for _, r := range c.lost {
			id := orders.OrderID(r.Instance)
			rank[id] = max(rank[id], 2_000_000)
			if r.Acted {
				rank[id] = 4_000_000
			}
		}
	}
	for _, r := range records {
		rank[r.order.ID] += len(r.history) + len(r.child)
		if r.result.Outcome == orders.Completed {
			rank[r.order.ID] += 1_000_000
		}
	}
	return slices.MaxFunc(records, func(a, b record) int { return rank[a.order.ID] - rank[b.order.ID] })
}

// reportTimeline prints the history of an order, that of its shipment within.
func (s *show) reportTimeline(r record, ledger []orders.Entry, deliveries []orders.Delivery) {
	s.screen.heading(fmt.Sprintf("The history of %s", r.order.ID))
	s.screen.printf("  %s, %s, to %s; every line is a row of the table history\n\n", r.order.Customer, itemsText(r.order.Items), r.order.ShipTo.City)
	notes := newNotes(ledger, deliveries, s.crash)
	begin := r.history[0].TimestampMs
	for _, line := range timeline(r, notes) {
		at := time.Duration(line.atMs-begin) * time.Millisecond
		indent := ""
		if line.child {
			indent = "│ "
		}
		s.screen.printf("  %7.3fs  %s%s\n", at.Seconds(), indent, line.text)
	}
}

func itemsText(items []orders.Item) string {
	var texts []string
	for _, item := range items {
		texts = append(texts, item.String())
	}
	return list(texts)
}

// line is one event of a timeline.
type line struct {
	atMs  uint64
	child bool
	text  string
}

// timeline puts the events of an order and of its shipment in order.
func timeline(r record, notes notes) []line {
	var lines []line
	for _, part := range []struct {
		events []core.Event
		child  bool
	}{{r.history, false}, {r.child, true}} {
		names := map[uint64]string{}
		for _, ev := range part.events {
			lines = append(lines, line{atMs: ev.TimestampMs, child: part.child, text: eventText(ev, names, notes)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(int64(a.atMs) - int64(b.atMs)) })
	return lines
}

// eventText says what an event means. Names collects the names of what was
// scheduled, by event id, for the events that answer.
func eventText(ev core.Event, names map[uint64]string, notes notes) string {
	var source uint64
	if ev.SourceID != nil {
		source = *ev.SourceID
	}
	switch d := ev.Data.(type) {
	case core.OrchestrationStarted:
		return fmt.Sprintf("orchestration %s %s starts", d.Name, d.Version)
	case core.OrchestrationCompleted:
		return "ends: " + short(d.Output)
	case core.OrchestrationFailed:
		return "fails: " + d.Details.Error()
	case core.ActivityScheduled:
		names[ev.ID] = d.Name
		return "→ " + d.Name + activityInput(d)
	case core.ActivityCompleted:
		return "✓ " + names[source] + activityResult(d.Result) + notes.of(ev)
	case core.ActivityFailed:
		return "✗ " + names[source] + ": " + d.Details.Error() + notes.of(ev)
	case core.TimerCreated:
		after := time.Duration(int64(d.FireAtMs)-int64(ev.TimestampMs)) * time.Millisecond
		return fmt.Sprintf("→ timer, due in %.1fs", after.Seconds())
	case core.TimerFired:
		return "✓ timer fired"
	case core.QueueSubscribed:
		return "→ message from queue " + d.Name
	case core.QueueEventDelivered:
		return "✓ message from queue " + d.Name + ": " + short(d.Data)
	case core.QueueSubscriptionCancelled:
		return "no longer waits for the message"
	case core.SubOrchestrationScheduled:
		names[ev.ID] = d.Name
		return "→ sub-orchestration " + d.Name + " as " + d.Instance
	case core.SubOrchestrationCompleted:
		return "✓ sub-orchestration " + names[source] + ": " + short(d.Result)
	case core.SubOrchestrationFailed:
		return "✗ sub-orchestration " + names[source] + ": " + d.Details.Error()
	case core.CustomStatusUpdated:
		if d.Status == nil {
			return "status cleared"
		}
		return "status: " + *d.Status
	}
	return ev.Data.EventType()
}

// activityInput shows of an input what its name does not say.
func activityInput(d core.ActivityScheduled) string {
	switch d.Name {
	case string(orders.Reserve), string(orders.Release):
		if l, ok := decode[orders.Line](d.Input); ok {
			return " " + l.Item.String()
		}
	case string(orders.Charge), string(orders.Refund):
		if p, ok := decode[orders.Payment](d.Input); ok {
			return fmt.Sprintf(" %s on %s", p.Amount, p.Card)
		}
	}
	return ""
}

// activityResult shows a result that says something.
func activityResult(result string) string {
	if result == "" || result == "null" || result == "{}" {
		return ""
	}
	return ": " + short(result)
}

// short is text without the quotes of its keys, cut to a length that fits.
func short(text string) string {
	return cut(strings.ReplaceAll(text, `"`, ""), 60)
}
