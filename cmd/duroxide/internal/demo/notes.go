package demo

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// notes say of an activity what its history does not: that it was delivered
// more than once, and to whom.
type notes struct {
	workers map[string][]string // by key, in the order of delivery
	actor   map[string]string   // who wrote the ledger
	dead    string
}

func newNotes(ledger []orders.Entry, deliveries []orders.Delivery, c *crash) notes {
	n := notes{workers: map[string][]string{}, actor: map[string]string{}}
	for _, d := range deliveries {
		n.workers[d.Key] = append(n.workers[d.Key], d.Worker)
	}
	for _, e := range ledger {
		n.actor[e.Key] = e.Worker
	}
	if c != nil {
		n.dead = c.victim.name
	}
	return n
}

// of returns the note on the activity that an event answers, or nothing.
func (n notes) of(ev core.Event) string {
	if ev.SourceID == nil {
		return ""
	}
	key := fmt.Sprintf("%s/%d/%d", ev.InstanceID, ev.ExecutionID, *ev.SourceID)
	workers := n.workers[key]
	if len(workers) < 2 {
		return ""
	}
	var names []string
	for _, w := range workers {
		if w == n.dead {
			w += " (killed)"
		}
		names = append(names, w)
	}
	text := "   ← delivered to " + strings.Join(names, ", then ")
	if actor := n.actor[key]; actor != "" {
		text += "; " + actor + " did it"
	}
	return text
}

func decode[T any](text string) (v T, ok bool) {
	err := json.Unmarshal([]byte(text), &v)
	return v, err == nil
}
