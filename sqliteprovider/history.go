package sqliteprovider

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opRead              = "read"
	opReadWithExecution = "read_with_execution"
	opAppend            = "append_with_execution"

	sqlLatestExecution = `
SELECT coalesce(max(execution_id), 1) FROM executions WHERE instance_id = ?`
	sqlReadHistory = `
SELECT event_data FROM history WHERE instance_id = ? AND execution_id = ? ORDER BY event_id`
	sqlAppendEvent = `
INSERT INTO history (instance_id, execution_id, event_id, event_type, event_data, created_at)
VALUES (?, ?, ?, ?, ?, ?)`
)

// latestExecution returns the highest execution id, 1 without any.
func latestExecution(ctx context.Context, c *conn, instance string) (id int64, err error) {
	_, err = c.row(ctx, sqlLatestExecution, []any{instance}, &id)
	return id, err
}

// readHistory returns the events of an execution. bad says which of them could
// not be decoded, and then there are none.
func readHistory(ctx context.Context, c *conn, instance string, execution int64) (events []core.Event, bad, err error) {
	var decoder core.EventDecoder
	var n int
	err = c.rows(ctx, sqlReadHistory, []any{instance, execution}, func(rows *sql.Rows) error {
		n++
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil || bad != nil {
			return err
		}
		e, err := decoder.Decode(text)
		if err != nil {
			bad = fmt.Errorf("%w: event %d of execution %d: %v", core.ErrUndecodable, n, execution, err)
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
	return p.readEvents(ctx, opRead, a.Instance, nil)
}

// ReadWithExecution implements [core.HistoryStore].
func (p *Provider) ReadWithExecution(ctx context.Context, a core.ReadWithExecutionParams) ([]core.Event, error) {
	return p.readEvents(ctx, opReadWithExecution, a.Instance, &a.ExecutionID)
}

// readEvents returns the events of one execution, nil for the latest.
func (p *Provider) readEvents(ctx context.Context, op, instance string, execution *uint64) (events []core.Event, err error) {
	if execution != nil && checkID("ExecutionID", *execution) != nil {
		return nil, p.checkOpen(ctx, op) // nothing can be stored under it
	}
	err = p.read(ctx, op, func(ctx context.Context, c *conn) (err error) {
		var id int64
		if execution != nil {
			id = int64(*execution)
		} else if id, err = latestExecution(ctx, c, instance); err != nil {
			return err
		}
		var bad error
		if events, bad, err = readHistory(ctx, c, instance, id); err != nil {
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
