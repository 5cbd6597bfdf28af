package golden_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
)

// TestGoldenHistories gives the runtime, turn by turn, what the recording one
// fetched, and compares what it stores with what that one stored: every event,
// work item and cancellation, except what the file says varies.
func TestGoldenHistories(t *testing.T) {
	t.Parallel()
	forEachRecording(t, func(t *testing.T, r *recording) {
		history := map[string][]core.Event{}
		for i := range r.Turns {
			u := &r.Turns[i]
			what := fmt.Sprintf("turn %d of %s", i, u.Fetched.Instance)
			item := u.fetched(history[fmt.Sprint(u.Fetched.Instance, "#", u.Fetched.ExecutionID)])
			if len(item.History) != len(u.Fetched.HistoryEventIDs) {
				t.Fatalf("%s: the file's own history is incomplete", what)
			}
			want := u.answer()
			if want.Ack != nil {
				key := fmt.Sprint(u.Fetched.Instance, "#", want.Ack.ExecutionID)
				history[key] = append(history[key], want.Ack.HistoryDelta...)
			}
			equal(t, what+" stores", r.varies().answer(want), r.varies().answer(decide(t, r.Name, item)), notRecorded)
		}
	})
}

// decide returns what the runtime makes of one turn.
func decide(t *testing.T, recording string, item *core.OrchestrationItem) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := &oneTurn{Provider: memprovider.New(nil), t: t, turn: make(chan *core.OrchestrationItem, 1), answers: make(chan answer, 1)}
	p.turn <- item
	defer startRuntime(t, p, core.SystemClock(), recording, len(item.History), nil)()
	return receive(t, ctx, "the turn has no answer", p.answers)
}

// oneTurn is a provider that hands out one turn and stores nothing.
type oneTurn struct {
	core.Provider // has nothing to do
	t             *testing.T
	turn          chan *core.OrchestrationItem
	answers       chan answer
}

func (p *oneTurn) FetchOrchestrationItem(context.Context, core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	select {
	case item := <-p.turn:
		return item, nil
	default:
		return nil, nil
	}
}

func (p *oneTurn) AckOrchestrationItem(_ context.Context, params core.AckOrchestrationItemParams) error {
	p.answers <- answer{Ack: &params}
	return nil
}

func (p *oneTurn) AbandonOrchestrationItem(_ context.Context, params core.AbandonParams) error {
	p.answers <- answer{Abandon: &params}
	return nil
}

// Read would look for the execution of a parent, which is recorded.
func (p *oneTurn) Read(_ context.Context, params core.ReadParams) ([]core.Event, error) {
	p.t.Errorf("the history of %s is read", params.Instance)
	return nil, nil
}
