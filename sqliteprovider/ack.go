package sqliteprovider

import (
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opAckOrchestration = "ack_orchestration_item"

	sqlUpsertInstance = `
INSERT INTO instances (instance_id, orchestration_name, orchestration_version, current_execution_id,
                       parent_instance_id, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
    ON CONFLICT (instance_id) DO UPDATE
   SET orchestration_name = excluded.orchestration_name, orchestration_version = excluded.orchestration_version`
	sqlUpdateInstance = `
UPDATE instances SET current_execution_id = max(current_execution_id, ?2), updated_at = ?3, turn_token = ?4
 WHERE instance_id = ?1`
	sqlInsertExecution = `
INSERT INTO executions (instance_id, execution_id, status, started_at) VALUES (?, ?, 'Running', ?)
    ON CONFLICT (instance_id, execution_id) DO NOTHING`
	sqlPinExecution = `
UPDATE executions SET pinned_version = ?3 WHERE instance_id = ?1 AND execution_id = ?2`
	sqlEndExecution = `
UPDATE executions SET status = ?3, output = ?4, completed_at = ?5 WHERE instance_id = ?1 AND execution_id = ?2`
	sqlSetCustomStatus = `
UPDATE instances SET custom_status = ?2, custom_status_version = custom_status_version + 1 WHERE instance_id = ?1`
)

// AckOrchestrationItem implements [core.OrchestrationQueue].
func (p *Provider) AckOrchestrationItem(ctx context.Context, a core.AckOrchestrationItemParams) error {
	turn, err := encodeTurn(&a)
	if err != nil {
		return classify(ctx, opAckOrchestration, err)
	}
	err = p.write(ctx, opAckOrchestration, func(t *tx) error {
		// Nobody else can write before the commit, so a lock that lives now is
		// not taken over under it.
		instance, err := lockOwner(t, a.LockToken, t.now)
		if err != nil {
			return err
		}
		return turn.apply(t, instance)
	})
	if err == nil {
		p.hints.Acked(&a)
	}
	return err
}

// An encodedTurn is an acknowledgement whose parts are checked and encoded,
// which needs no lock.
type encodedTurn struct {
	*core.AckOrchestrationItemParams
	execution  int64
	history    []string
	activities []activity
	messages   []message
}

func encodeTurn(a *core.AckOrchestrationItemParams) (turn encodedTurn, err error) {
	turn = encodedTurn{AckOrchestrationItemParams: a, execution: int64(a.ExecutionID)}
	if err := checkID("ExecutionID", a.ExecutionID); err != nil {
		return turn, err
	}
	if err := checkMetadata(&a.Metadata); err != nil {
		return turn, err
	}
	if turn.history, err = encodeEvents("HistoryDelta", a.HistoryDelta); err != nil {
		return turn, err
	}
	for i := range a.HistoryDelta {
		if set, ok := a.HistoryDelta[i].Data.(core.KeyValueSet); ok {
			if err := checkID(fmt.Sprintf("HistoryDelta[%d].KeyValueSet.LastUpdatedAtMs", i), set.LastUpdatedAtMs); err != nil {
				return turn, err
			}
		}
	}
	turn.activities = make([]activity, len(a.WorkerItems))
	for i, item := range a.WorkerItems {
		if turn.activities[i], err = newActivity(fmt.Sprintf("WorkerItems[%d]", i), item); err != nil {
			return turn, err
		}
	}
	turn.messages = make([]message, len(a.OrchestratorItems))
	for i, item := range a.OrchestratorItems {
		if turn.messages[i], err = newMessage(fmt.Sprintf("OrchestratorItems[%d]", i), item); err != nil {
			return turn, err
		}
	}
	return turn, nil
}

func (turn *encodedTurn) apply(t *tx, instance string) error {
	if err := deleteBatch(t, instance, turn.LockToken); err != nil {
		return err
	}
	t.turns = true // for messages that came during the turn
	if err := turn.applyMetadata(t, instance); err != nil {
		return err
	}
	if err := appendHistory(t, instance, turn.execution, turn.HistoryDelta, turn.history); err != nil {
		return err
	}
	if err := turn.applyCustomStatus(t, instance); err != nil {
		return err
	}
	if err := applyKeyValues(t, instance, turn.HistoryDelta); err != nil {
		return err
	}
	if turn.Metadata.Status.IsTerminal() {
		if err := mergeKeyValues(t, instance); err != nil {
			return err
		}
	}
	for i := range turn.activities {
		if err := enqueueActivity(t, &turn.activities[i]); err != nil {
			return err
		}
	}
	for _, id := range turn.CancelledActivities {
		if err := cancelActivity(t, id); err != nil {
			return err
		}
	}
	for _, m := range turn.messages {
		if err := enqueueMessage(t, m, t.now); err != nil {
			return err
		}
	}
	return nil
}

// applyMetadata creates and updates the rows of the instance and of the
// execution.
func (turn *encodedTurn) applyMetadata(t *tx, instance string) error {
	m := &turn.Metadata
	if m.OrchestrationName != nil && m.OrchestrationVersion != nil {
		_, err := t.exec(sqlUpsertInstance, instance, m.OrchestrationName, m.OrchestrationVersion, turn.execution, m.ParentInstanceID, t.now)
		if err != nil {
			return err
		}
	}
	if _, err := t.exec(sqlUpdateInstance, instance, turn.execution, t.now, turn.LockToken); err != nil {
		return err
	}
	if _, err := t.exec(sqlInsertExecution, instance, turn.execution, t.now); err != nil {
		return err
	}
	if v := m.PinnedDuroxideVersion; v != nil {
		if _, err := t.exec(sqlPinExecution, instance, turn.execution, int64(v.Packed())); err != nil {
			return err
		}
	}
	if m.Status == "" {
		return nil
	}
	var completed any
	if m.Status.IsTerminal() {
		completed = t.now
	}
	_, err := t.exec(sqlEndExecution, instance, turn.execution, string(m.Status), m.Output, completed)
	return err
}

// applyCustomStatus stores the last custom status of the turn, one version for
// all of them. Without an instance row it is lost.
func (turn *encodedTurn) applyCustomStatus(t *tx, instance string) error {
	for _, e := range slices.Backward(turn.HistoryDelta) {
		if updated, ok := e.Data.(core.CustomStatusUpdated); ok {
			_, err := t.exec(sqlSetCustomStatus, instance, updated.Status)
			return err
		}
	}
	return nil
}
