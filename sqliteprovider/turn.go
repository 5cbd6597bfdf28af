package sqliteprovider

import (
	"cmp"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

const (
	sqlInstance = `
SELECT orchestration_name, orchestration_version, current_execution_id, coalesce(turn_token, '')
  FROM instances WHERE instance_id = ?`
	sqlSnapshot = `
SELECT key, value, last_updated_at_ms FROM kv_store WHERE instance_id = ?`
)

func newToken() string { return "lock_" + rand.Text() }

// TracksTurns implements [core.TurnTracker].
func (*Provider) TracksTurns() bool { return true }

// readTurn marks the messages of an instance that has just been locked and
// reads all that its turn needs, but no history that goes beyond the limit, 0
// for none. What cannot be decoded is reported in the item.
func readTurn(t *tx, instance, token string, historyLimit uint64) (*core.OrchestrationItem, error) {
	item := &core.OrchestrationItem{Instance: instance, LockToken: token, ExecutionID: core.FirstExecutionID}
	messagesErr, err := markBatch(t, item)
	if err != nil {
		return nil, err
	}
	var execution int64
	named, err := t.row(sqlInstance, []any{instance},
		&item.OrchestrationName, &item.Version, &execution, &item.TurnToken)
	if err != nil {
		return nil, err
	}
	if named {
		item.ExecutionID = uint64(execution)
	} else if execution, err = latestExecution(t.ctx, t.conn, instance); err != nil {
		// Without a row the history found is reported under the first execution.
		return nil, err
	}
	var last int64
	if _, err := t.row(sqlLastEvent, []any{instance, execution}, &last); err != nil {
		return nil, err
	}
	item.LastEventID = uint64(last)
	// Without a row the history says what the instance runs.
	item.HistoryOmitted = named && historyLimit > 0 && item.LastEventID > historyLimit
	var history []core.Event
	var historyErr error
	if !item.HistoryOmitted {
		history, historyErr, err = readHistory(t.ctx, t.conn, historyRange{instance: instance, execution: execution})
		if err != nil {
			return nil, err
		}
	}
	if !named {
		item.OrchestrationName, item.Version = deriveName(history, item.Messages)
	}
	if err := errors.Join(historyErr, messagesErr); err != nil {
		item.HistoryError = err.Error()
		return item, nil
	}
	item.History = history
	item.KVSnapshot = map[string]core.KVEntry{}
	err = t.rows(sqlSnapshot, []any{instance}, func(rows *sql.Rows) error {
		var key, value string
		var updated int64
		err := rows.Scan(&key, &value, &updated)
		item.KVSnapshot[key] = core.KVEntry{Value: value, LastUpdatedAtMs: unsigned(updated)}
		return err
	})
	return item, err
}

// markBatch gives the visible messages of the item's instance its token and
// puts them into it. bad says which could not be decoded.
func markBatch(t *tx, item *core.OrchestrationItem) (bad, err error) {
	type row struct {
		id   int64
		text []byte
	}
	var batch []row
	err = t.rows(sqlMarkBatch, []any{item.Instance, item.LockToken, t.now}, func(rows *sql.Rows) error {
		var r row
		var attempts int64
		err := rows.Scan(&r.id, &r.text, &attempts)
		batch = append(batch, r)
		item.AttemptCount = max(item.AttemptCount, attemptCount(attempts))
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(batch, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	for _, r := range batch {
		m, err := core.DecodeWorkItem(r.text)
		if err != nil {
			if bad == nil {
				bad = fmt.Errorf("message %d: %w", r.id, err)
			}
			continue
		}
		item.Messages = append(item.Messages, m)
	}
	return bad, nil
}

// deriveName finds out what an instance without a row runs: what its history
// or else a start among its messages says.
func deriveName(events []core.Event, messages []core.WorkItem) (name, version string) {
	for i := range events {
		if started, ok := events[i].Data.(core.OrchestrationStarted); ok {
			return started.Name, started.Version
		}
	}
	for _, m := range messages {
		var name string
		var version *string
		switch m := m.(type) {
		case core.StartOrchestrationItem:
			name, version = m.Orchestration, m.Version
		case core.ContinueAsNewItem:
			name, version = m.Orchestration, m.Version
		default:
			continue
		}
		if version == nil {
			return name, core.UnknownVersion
		}
		return name, *version
	}
	return core.UnknownName, core.UnknownVersion
}
