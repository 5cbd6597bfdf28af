package pgprovider

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opReadRange = "read_history_range"

	// turnsVersion is the migration from which on the schema knows the last
	// turn of each instance.
	turnsVersion = 107

	sqlFetchTurn query = `
SELECT out_instance_id, out_orchestration_name, out_orchestration_version, out_execution_id, out_turn, out_last_event_id,
       out_history, out_messages, out_lock_token, out_attempt_count, out_kv_snapshot::text
  FROM @.dxgo_fetch_turn($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint)`
	sqlFetchTurnExcept query = `
SELECT out_instance_id, out_orchestration_name, out_orchestration_version, out_execution_id, out_turn, out_last_event_id,
       out_history, out_messages, out_lock_token, out_attempt_count, out_kv_snapshot::text
  FROM @.dxgo_fetch_turn_except($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::text[])`
	sqlReadRange query = `
SELECT h.event_data
  FROM @.history h
 WHERE h.instance_id = $1::text AND h.execution_id = $2::bigint AND h.event_id > $3::bigint
 ORDER BY h.event_id
 LIMIT $4::bigint`
)

// TracksTurns implements [core.TurnTracker]. It is false on a schema that is not
// far enough, and on one where another program put its own functions in the
// place of this module's.
func (p *Provider) TracksTurns() bool { return p.tracksTurns }

// turnRow is what dxgo_fetch_turn returns.
type turnRow struct {
	instance, token     string
	name, version, turn *string
	execution           *int64
	lastEventID         int64
	history, messages   [][]byte // nil history: left out
	snapshot            []byte
	attempts            int32
}

func (r *turnRow) read(found *bool) func(pgx.Rows) error {
	return one(found, &r.instance, &r.name, &r.version, &r.execution, &r.turn, &r.lastEventID,
		&r.history, &r.messages, &r.token, &r.attempts, &r.snapshot)
}

// item decodes the row. What cannot be decoded is reported in the item, whose
// lock is held by now.
func (r *turnRow) item() *core.OrchestrationItem {
	item := &core.OrchestrationItem{
		Instance: r.instance, OrchestrationName: core.UnknownName, Version: core.UnknownVersion, ExecutionID: core.FirstExecutionID,
		LastEventID: uint64(r.lastEventID), HistoryOmitted: r.history == nil && r.lastEventID > 0,
		LockToken: r.token, AttemptCount: uint32(r.attempts),
	}
	if r.turn != nil {
		item.TurnToken = *r.turn
	}
	var events core.EventDecoder // keeps what all events of a history share
	history, historyErr := decodeAll(r.history, "event", events.Decode)
	messages, messagesErr := decodeAll(r.messages, "message", core.DecodeWorkItem)
	snapshot, snapshotErr := decodeSnapshot(r.snapshot)
	if r.name != nil {
		item.OrchestrationName, item.ExecutionID = *r.name, uint64(*r.execution)
		if r.version != nil {
			item.Version = *r.version
		}
	} else {
		identify(item, history, messages)
	}
	item.Messages = messages
	if err := errors.Join(historyErr, messagesErr, snapshotErr); err != nil {
		item.HistoryError = err.Error()
		return item
	}
	item.History, item.KVSnapshot = history, snapshot
	return item
}

// identify finds out what an instance without a recorded turn runs: what its
// history says, or else its first message.
func identify(item *core.OrchestrationItem, history []core.Event, messages []core.WorkItem) {
	if len(history) > 0 {
		if s, ok := history[0].Data.(core.OrchestrationStarted); ok {
			item.OrchestrationName, item.Version = s.Name, s.Version
			return
		}
	}
	if len(messages) == 0 {
		return
	}
	var version *string
	switch m := messages[0].(type) {
	case core.StartOrchestrationItem:
		item.OrchestrationName, version, item.ExecutionID = m.Orchestration, m.Version, m.ExecutionID
	case core.ContinueAsNewItem:
		item.OrchestrationName, version = m.Orchestration, m.Version
	}
	if version != nil {
		item.Version = *version
	}
}

// ReadHistoryRange implements [core.HistoryRangeReader].
func (p *Provider) ReadHistoryRange(ctx context.Context, params core.ReadHistoryRangeParams) ([]core.Event, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opReadRange, err)
	}
	if params.Limit < 0 {
		return nil, classify(ctx, opReadRange, fmt.Errorf("%w: Limit must be zero or more, not %d", core.ErrInvalidArgument, params.Limit))
	}
	if checkID("ExecutionID", params.ExecutionID) != nil || params.AfterEventID > math.MaxInt64 {
		return nil, nil // nothing can be stored there
	}
	var limit *int64
	if params.Limit > 0 {
		limit = new(int64(params.Limit))
	}
	return p.readEvents(ctx, opReadRange, sqlReadRange, params.Instance, int64(params.ExecutionID), int64(params.AfterEventID), limit)
}
