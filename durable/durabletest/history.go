package durabletest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/duroxide/duroxide-go/core"
)

// History is the events of one execution in order.
type History []core.Event

// Find returns the events of a type, such as [core.TypeActivityScheduled], whose
// data has that name: of an activity, an orchestration, an event, a queue or a
// key. An empty name takes all. Completions have the name of what they complete.
func (h History) Find(eventType, name string) History {
	var found History
	for _, ev := range h {
		if ev.Data.EventType() == eventType && (name == "" || h.name(ev) == name) {
			found = append(found, ev)
		}
	}
	return found
}

// Count returns how many events [History.Find] finds.
func (h History) Count(eventType, name string) int { return len(h.Find(eventType, name)) }

// Activities returns the names of the activities in the order in which they
// were asked for, one for each call and each attempt of a retry policy.
func (h History) Activities() []string {
	var names []string
	for _, ev := range h {
		if d, ok := ev.Data.(core.ActivityScheduled); ok {
			names = append(names, d.Name)
		}
	}
	return names
}

// Open returns the events of what was asked for and has neither an outcome nor
// been given up: what a running execution waits for. An external event or a
// message of a queue counts for the oldest wait of its name.
func (h History) Open() History {
	var open History
	remove := func(match func(core.Event) bool) {
		for i, ev := range open {
			if match(ev) {
				open = append(open[:i:i], open[i+1:]...)
				return
			}
		}
	}
	for _, ev := range h {
		switch d := ev.Data.(type) {
		case core.ActivityScheduled, core.TimerCreated, core.SubOrchestrationScheduled, core.ExternalSubscribed, core.QueueSubscribed:
			open = append(open, ev)
		case core.ExternalEvent:
			remove(func(o core.Event) bool { return o.Data == core.ExternalSubscribed{Name: d.Name} })
		case core.QueueEventDelivered:
			remove(func(o core.Event) bool { return o.Data == core.QueueSubscribed{Name: d.Name} })
		default:
			if ev.IsTerminal() {
				return nil
			}
			if ev.SourceID != nil {
				remove(func(o core.Event) bool { return o.ID == *ev.SourceID })
			}
		}
	}
	return open
}

// String returns one line for each event: its id, what it says, and what it
// carries, a long payload cut. Times are left out, so that the text of a
// deterministic orchestration is the same in every run.
func (h History) String() string {
	var b strings.Builder
	for _, ev := range h {
		b.WriteString(h.line(ev))
		b.WriteByte('\n')
	}
	return b.String()
}

// Diff compares the history with what String returned, or should return, and
// returns the lines in which they differ, "-" for what is wanted and "+" for
// what there is; it is empty when they are the same. White space at the ends of
// lines and empty lines do not count.
func (h History) Diff(want string) string {
	return diffLines(lines(want), lines(h.String()))
}

// lines splits a text into its lines, trimmed, without the empty ones.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// diffLines returns the differing lines by the longest common subsequence.
func diffLines(want, got []string) string {
	common := make([][]int, len(want)+1) // of the rests from there on
	for i := range common {
		common[i] = make([]int, len(got)+1)
	}
	for i, line := range slices.Backward(want) {
		for j := len(got) - 1; j >= 0; j-- {
			if line == got[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var b strings.Builder
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case i < len(want) && j < len(got) && want[i] == got[j]:
			i, j = i+1, j+1
		case i < len(want) && (j == len(got) || common[i+1][j] >= common[i][j+1]):
			fmt.Fprintf(&b, "- %s\n", want[i])
			i++
		default:
			fmt.Fprintf(&b, "+ %s\n", got[j])
			j++
		}
	}
	return b.String()
}

func (h History) line(ev core.Event) string {
	s := fmt.Sprintf("%d %s", ev.ID, ev.Data.EventType())
	if name := h.name(ev); name != "" {
		s += " " + name
	}
	if ev.SourceID != nil {
		s += fmt.Sprintf(" of %d", *ev.SourceID)
	}
	if p := payload(ev.Data); p != "" {
		s += ": " + shorten(p)
	}
	return s
}

// name is the name in an event's data, or in that of what it answers.
func (h History) name(ev core.Event) string {
	switch d := ev.Data.(type) {
	case core.OrchestrationStarted:
		return d.Name
	case core.ActivityScheduled:
		return d.Name
	case core.SubOrchestrationScheduled:
		return d.Name
	case core.OrchestrationChained:
		return d.Name
	case core.ExternalSubscribed:
		return d.Name
	case core.ExternalEvent:
		return d.Name
	case core.QueueSubscribed:
		return d.Name
	case core.QueueEventDelivered:
		return d.Name
	case core.KeyValueSet:
		return d.Key
	case core.KeyValueCleared:
		return d.Key
	}
	if ev.SourceID != nil {
		for _, source := range h {
			if source.ID == *ev.SourceID && source.SourceID == nil {
				return h.name(source)
			}
		}
	}
	return ""
}

// payload is the text that an event carries.
func payload(data core.EventData) string {
	switch d := data.(type) {
	case core.OrchestrationStarted:
		return d.Input
	case core.OrchestrationCompleted:
		return d.Output
	case core.OrchestrationFailed:
		return d.Details.Error()
	case core.OrchestrationContinuedAsNew:
		return d.Input
	case core.OrchestrationCancelRequested:
		return d.Reason
	case core.ActivityScheduled:
		return d.Input
	case core.ActivityCompleted:
		return d.Result
	case core.ActivityFailed:
		return d.Details.Error()
	case core.SubOrchestrationScheduled:
		return d.Input
	case core.SubOrchestrationCompleted:
		return d.Result
	case core.SubOrchestrationFailed:
		return d.Details.Error()
	case core.OrchestrationChained:
		return d.Instance + " " + d.Input
	case core.ExternalEvent:
		return d.Data
	case core.QueueEventDelivered:
		return d.Data
	case core.CustomStatusUpdated:
		if d.Status != nil {
			return *d.Status
		}
	case core.KeyValueSet:
		return d.Value
	}
	return ""
}

// shorten puts a text on one line of at most 80 bytes.
func shorten(s string) string {
	const most = 80
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
