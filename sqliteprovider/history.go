package sqliteprovider

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opRead              = "read"
	opReadWithExecution = "read_with_execution"
	opReadRange         = "read_history_range"
	opAppend            = "append_with_execution"

	sqlLatestExecution = `
SELECT coalesce(max(execution_id), 1) FROM executions WHERE instance_id = ?`
	sqlLastEvent = `
SELECT coalesce(max(event_id), 0) FROM history WHERE instance_id = ? AND execution_id = ?`
	sqlReadHistory = `
SELECT event_id, event_data FROM history
 WHERE instance_id = ? AND execution_id = ? AND event_id > ? ORDER BY event_id LIMIT ?`
	sqlAppendEvent = `
INSERT INTO history (instance_id, execution_id, event_id, event_type, event_data, created_at)
VALUES (?, ?, ?, ?, ?, ?)`
)

// latestExecution returns the highest execution id, 1 without any.
func latestExecution(ctx context.Context, c *conn, instance string) (id int64, err error) {
	_, err = c.row(ctx, sqlLatestExecution, []any{instance}, &id)
	return id, err
}

// A historyRange is the part of a history that follows an event id, without a
// limit up to the end.
type historyRange struct {
	instance         string
	execution, after int64
	limit            int // 0 for none
}

// readHistory returns the events of a range. bad says which of them could not be
// decoded, and then there are none.
func readHistory(ctx context.Context, c *conn, r historyRange) (events []core.Event, bad, err error) {
	var decoder core.EventDecoder
	limit := -1 // none in SQLite
	if r.limit > 0 {
		limit = r.limit
	}
	err = c.rows(ctx, sqlReadHistory, []any{r.instance, r.execution, r.after, limit}, func(rows *sql.Rows) error {
		var id int64
		var text sql.RawBytes
		if err := rows.Scan(&id, &text); err != nil || bad != nil {
			return err
		}
		e, err := decoder.Decode(text)
		if err != nil {
			bad = fmt.Errorf("%w: event %d of execution %d: %v", core.ErrUndecodable, id, r.execution, err)
		}
		events = append(events, e)
		return nil
	})
	if bad != nil {
		events = nil
	}
	return events, bad, err
}

// Read implements [core.HistoryStore].
func (p *Provider) Read(ctx context.Context, a core.ReadParams) ([]core.Event, error) {
	return p.readLatest(ctx, opRead, a.Instance)
}

// ReadWithExecution implements [core.HistoryStore].
func (p *Provider) ReadWithExecution(ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
	return p.readRange(ctx, opReadWithExecution, core.ReadHistoryRangeParams{Instance: a.Instance, ExecutionID: a.ExecutionID})
}

// ReadHistoryRange implements [core.HistoryRangeReader].
func (p *Provider) ReadHistoryRange(ctx context.Context, a core.ReadHistoryRangeParams) ([]core.Event, error) {
	if a.Limit < 0 {
		return nil, classify(ctx, opReadRange, invalid("Limit must be zero or more, not %d", a.Limit))
	}
	return p.readRange(ctx, opReadRange, a)
}

// readLatest returns the history of the latest execution.
func (p *Provider) readLatest(ctx context.Context, op, instance string) ([]core.Event, error) {
	return p.readEvents(ctx, op, func(ctx context.Context, c *conn) (historyRange, error) {
		latest, err := latestExecution(ctx, c, instance)
		return historyRange{instance: instance, execution: latest}, err
	})
}

// readRange returns a part of one execution's history.
func (p *Provider) readRange(ctx context.Context, op string, a core.ReadHistoryRangeParams) ([]core.Event, error) {
	if a.ExecutionID > math.MaxInt64 || a.AfterEventID > math.MaxInt64 {
		return nil, p.checkOpen(ctx, op) // nothing can be stored there
	}
	return p.readEvents(ctx, op, func(context.Context, *conn) (historyRange, error) {
		return historyRange{a.Instance, int64(a.ExecutionID), int64(a.AfterEventID), a.Limit}, nil
	})
}

// readEvents returns the events of the range that find says.
func (p *Provider) readEvents(
	ctx context.Context, op string, find func(context.Context, *conn) (historyRange, error),
) (events []core.Event, err error) {
	err = p.read(ctx, op, func(ctx context.Context, c *conn) error {
		r, err := find(ctx, c)
		if err != nil {
			return err
		}
		var bad error
		if events, bad, err = readHistory(ctx, c, r); err != nil {
			return err
		}
		return bad
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// AppendWithExecution implements [core.HistoryStore]. It refuses ids that are
// stored already.
func (p *Provider) AppendWithExecution(ctx context.Context, a core.AppendWithExecutionParams) error {
	if err := checkText("Instance", a.Instance); err != nil {
		return classify(ctx, opAppend, err)
	}
	if err := checkID("ExecutionID", a.ExecutionID); err != nil {
		return classify(ctx, opAppend, err)
	}
	texts, err := encodeEvents("Events", a.Events)
	if err != nil {
		return classify(ctx, opAppend, err)
	}
	if len(texts) == 0 {
		return p.checkOpen(ctx, opAppend)
	}
	return p.write(ctx, opAppend, func(t *tx) error {
		return appendHistory(t, a.Instance, int64(a.ExecutionID), a.Events, texts)
	})
}

// appendHistory stores events, whose texts are encoded already. Stored ones are
// not looked into, so that undecodable ones stand in nobody's way.
func appendHistory(t *tx, instance string, execution int64, events []core.Event, texts []string) error {
	for i := range events {
		e := &events[i]
		_, err := t.exec(sqlAppendEvent, instance, execution, int64(e.ID), e.Data.EventType(), texts[i], t.now)
		if isDuplicateKey(err) {
			return fmt.Errorf("%w: id %d", core.ErrDuplicateEvent, e.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
