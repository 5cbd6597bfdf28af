package golden_test

import (
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// vary removes from values what differs between two runs: times and stamps, and
// of texts what the recording says.
type vary struct {
	mismatch bool // all but the class of a mismatch
	messages bool // of failed activities
	results  bool // of the activities of the runtime itself
}

// varies reads the list of a recording.
func (r *recording) varies() vary {
	says := func(text string) bool {
		return slices.ContainsFunc(r.Varies, func(v string) bool { return strings.Contains(v, text) })
	}
	return vary{
		mismatch: says("text of the mismatch"),
		messages: says("ActivityFailed message"),
		results:  says("ActivityCompleted.result of the two system activities"),
	}
}

func (v vary) event(e core.Event) core.Event {
	e.TimestampMs, e.DuroxideVersion = 0, ""
	switch d := e.Data.(type) {
	case core.TimerCreated:
		e.Data = core.TimerCreated{}
	case core.TimerFired:
		e.Data = core.TimerFired{}
	case core.KeyValueSet:
		d.LastUpdatedAtMs = 0
		e.Data = d
	case core.ActivityCompleted:
		if v.results {
			d.Result = ""
		}
		e.Data = d
	case core.ActivityFailed:
		d.Details = v.details(d.Details)
		e.Data = d
	case core.OrchestrationFailed:
		d.Details = v.details(d.Details)
		e.Data = d
	}
	return e
}

func (v vary) details(details core.ErrorDetails) core.ErrorDetails {
	switch d := details.(type) {
	case core.ConfigurationError:
		if v.mismatch && d.Message != nil {
			d.Message = new(class(*d.Message))
		}
		return d
	case core.ApplicationError:
		if v.messages {
			d.Message = ""
		}
		return d
	}
	return details
}

// class is what is before the colon of a mismatch.
func class(text string) string {
	text = strings.TrimPrefix(text, "nondeterministic: ")
	before, _, _ := strings.Cut(text, ":")
	return before
}

func (v vary) item(i core.WorkItem) core.WorkItem {
	switch d := i.(type) {
	case core.TimerFiredItem:
		d.FireAtMs = 0
		return d
	case core.ActivityCompletedItem:
		if v.results {
			d.Result = ""
		}
		return d
	case core.ActivityFailedItem:
		d.Details = v.details(d.Details)
		return d
	}
	return i
}

// output is the text in which an execution ended.
func (v vary) output(text *string) *string {
	if text != nil && v.mismatch && strings.HasPrefix(*text, "nondeterministic: ") {
		return new(class(*text))
	}
	return text
}

func (v vary) events(all []core.Event) []core.Event { return each(all, v.event) }

func (v vary) answer(a answer) answer {
	if a.Abandon != nil {
		abandon := *a.Abandon
		abandon.LockToken = ""
		abandon.StayAway = 0 // a hint of ours
		a.Abandon = &abandon
	}
	if a.Ack != nil {
		ack := *a.Ack
		ack.LockToken = ""
		ack.HistoryDelta = v.events(ack.HistoryDelta)
		ack.OrchestratorItems = each(ack.OrchestratorItems, v.item)
		ack.Metadata.Output = v.output(ack.Metadata.Output)
		a.Ack = &ack
	}
	return a
}

func (v vary) fetched(i *core.OrchestrationItem) *core.OrchestrationItem {
	f := *i
	f.LockToken, f.TurnToken, f.LastEventID = "", "", 0
	f.History = v.events(f.History)
	f.Messages = each(f.Messages, v.item)
	f.KVSnapshot = map[string]core.KVEntry{}
	for key, e := range i.KVSnapshot {
		f.KVSnapshot[key] = core.KVEntry{Value: e.Value}
	}
	return &f
}

// each returns what f makes of the values, in a new slice; nil for none.
func each[T any](all []T, f func(T) T) (changed []T) {
	for _, v := range all {
		changed = append(changed, f(v))
	}
	return changed
}
