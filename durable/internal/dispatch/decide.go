package dispatch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

const (
	// inlineHistory is how many events a fetch may bring along although the
	// code may be suspended here: to ask again for a few costs more.
	inlineHistory = 32
	// historyPage is how many events are read at a time.
	historyPage = 1000
)

// decide runs the turn of a fetched instance: on its suspended code if that can
// be trusted, else from its history.
func (d *Dispatcher) decide(ctx context.Context, item *core.OrchestrationItem) (Decision, error) {
	if d.warm != nil {
		if suspended := d.warm.take(item); suspended != nil {
			return d.resume(ctx, item, suspended), nil
		}
	}
	if err := d.loadHistory(ctx, item); err != nil {
		return Decision{}, err
	}
	return d.cfg.Turns.Decide(ctx, item), nil
}

// resume runs the turn on suspended code. Some executions that end by it are
// replayed from their history as well: code that does not repeat itself shows.
func (d *Dispatcher) resume(ctx context.Context, item *core.OrchestrationItem, s *replay.Suspended) Decision {
	if !d.warm.checks() {
		return d.cfg.Turns.Resume(ctx, item, s)
	}
	turns := d.cfg.Turns
	now := turns.Now()
	turns.Now = func() time.Time { return now }
	name := s.Name()
	decision := turns.Resume(ctx, item, s)
	if decision.Result == replay.Continue {
		return decision
	}
	if err := d.loadHistory(ctx, item); err != nil {
		d.log.Warn("resumed execution not checked: its history could not be read", "instance_id", item.Instance, "error", err)
		return decision
	}
	cold := turns.Decide(ctx, item)
	same := reflect.DeepEqual(cold.Ack, decision.Ack)
	d.warm.checked(name, same)
	if same {
		return decision
	}
	d.warmMismatch(ctx, item, name)
	d.log.Error("resumed execution came out differently than its replay, which counts: its code is not deterministic; its orchestration is not kept suspended any more",
		"instance_id", item.Instance, "execution_id", item.ExecutionID, "orchestration_name", name)
	return cold
}

// loadHistory reads the history of an item that came without it. History that
// cannot be decoded is reported in the item, as a fetch does.
func (d *Dispatcher) loadHistory(ctx context.Context, item *core.OrchestrationItem) error {
	if !item.HistoryOmitted {
		return nil
	}
	events, err := d.readHistory(ctx, item.Instance, item.ExecutionID)
	switch {
	case errors.Is(err, core.ErrUndecodable):
		item.HistoryError = err.Error()
	case err != nil:
		return err
	case len(events) == 0 || events[len(events)-1].ID != item.LastEventID:
		return fmt.Errorf("the history of %s changed under its lock", item.Instance)
	}
	item.History, item.HistoryOmitted = events, false
	return nil
}

func (d *Dispatcher) readHistory(ctx context.Context, instance string, execution uint64) (events []core.Event, err error) {
	reader, ok := core.Ability[core.HistoryRangeReader](d.cfg.Provider)
	if !ok {
		err = d.retry(ctx, func(ctx context.Context) (err error) {
			events, err = d.cfg.Provider.ReadWithExecution(ctx, core.ReadWithExecutionParams{Instance: instance, ExecutionID: execution})
			return err
		})
		return events, err
	}
	p := core.ReadHistoryRangeParams{Instance: instance, ExecutionID: execution, Limit: historyPage}
	for {
		var page []core.Event
		err := d.retry(ctx, func(ctx context.Context) (err error) {
			page, err = reader.ReadHistoryRange(ctx, p)
			return err
		})
		if err != nil {
			return nil, err
		}
		events = append(events, page...)
		if len(page) < historyPage {
			return events, nil
		}
		p.AfterEventID = page[len(page)-1].ID
	}
}
