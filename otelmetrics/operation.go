package otelmetrics

import (
	"context"
	"errors"
	"net"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/duroxide/duroxide-go/core"
)

// The calls that are measured. Where the family measures a call, this is its name
// for it.
const (
	opFetchTurn       = "fetch_orchestration_item"
	opAckTurn         = "ack_orchestration_item"
	opAbandonTurn     = "abandon_orchestration_item"
	opRenewTurn       = "renew_orchestration_item_lock"
	opEnqueueMessage  = "enqueue_orchestrator"
	opEnqueueActivity = "enqueue_worker"
	opFetchActivity   = "fetch_work_item"
	opAckActivity     = "ack_work_item"
	opRenewActivity   = "renew_work_item_lock"
	opAbandonActivity = "abandon_work_item"
	opRead            = "read"
	opReadExecution   = "read_with_execution"
	opAppend          = "append_with_execution"
	opReadRange       = "read_history_range"
	opRenewSession    = "renew_session_lock"
	opCleanUpSessions = "cleanup_orphaned_sessions"
	opCustomStatus    = "get_custom_status"
	opInstanceStats   = "get_instance_stats"
	opInstanceStates  = "get_instance_states"
	opKVValue         = "get_kv_value"
	opKVAllValues     = "get_kv_all_values"
	opEnqueueTx       = "enqueue_orchestrator_tx"
	opAckActivityTx   = "ack_work_item_tx"
)

// operation holds the labels of a call's duration.
type operation struct{ succeeded, failed metric.MeasurementOption }

func newOperations() map[string]operation {
	all := map[string]operation{}
	for _, op := range []string{
		opFetchTurn, opAckTurn, opAbandonTurn, opRenewTurn, opEnqueueMessage,
		opEnqueueActivity, opFetchActivity, opAckActivity, opRenewActivity, opAbandonActivity,
		opRead, opReadExecution, opAppend, opReadRange, opRenewSession, opCleanUpSessions,
		opCustomStatus, opInstanceStats, opInstanceStates, opKVValue, opKVAllValues, opEnqueueTx, opAckActivityTx,
	} {
		name := attribute.String("operation", op)
		all[op] = operation{
			succeeded: labels(name, attribute.String("status", "success")),
			failed:    labels(name, attribute.String("status", "error")),
		}
	}
	return all
}

// called records a call that is over. One whose caller gave up says nothing of
// the store, and is not recorded.
func (m *Metrics) called(ctx context.Context, op string, began time.Time, err error) {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	took := m.since(began).Seconds()
	if err == nil {
		m.instrument.operationDuration.Record(ctx, took, m.operations[op].succeeded)
		return
	}
	m.instrument.operationDuration.Record(ctx, took, m.operations[op].failed)
	m.instrument.providerErrors.Add(ctx, 1, labels(
		attribute.String("operation", op),
		attribute.String("error_type", errorType(err)),
	))
}

// errorType is the label of an error. It goes by what the error is; texts are the
// providers' own.
func errorType(err error) string {
	var network net.Error
	var database interface{ SQLState() string } // of pgx and lib/pq
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, core.ErrLockLost):
		return "lock_lost"
	case errors.Is(err, core.ErrUndecodable):
		return "corruption"
	case errors.Is(err, core.ErrDuplicateEvent):
		return "constraint_violation"
	case errors.As(err, &database):
		return sqlErrorType(database.SQLState())
	case errors.As(err, &network):
		if network.Timeout() {
			return "timeout"
		}
		return "connection"
	}
	return "other"
}

// sqlErrorType goes by the standard's classes and the three states of PostgreSQL
// that have a name in the family.
func sqlErrorType(state string) string {
	switch {
	case state == "40P01":
		return "deadlock"
	case state == "57014" || state == "55P03": // statement_timeout and lock_timeout
		return "timeout"
	case len(state) == 5 && state[:2] == "08", len(state) == 5 && state[:3] == "57P":
		return "connection"
	case len(state) == 5 && state[:2] == "23":
		return "constraint_violation"
	}
	return "other"
}
