package durable

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// rollbackTimeout bounds the clean-up after a transaction that failed.
const rollbackTimeout = 5 * time.Second

// InTx completes the activity that is running inside a transaction on the
// provider's database: what fn writes and the activity's result become durable
// together or not at all, and exactly once. It begins a transaction, calls fn
// with the driver's handle of it, records fn's result as the activity's, and
// commits:
//
//	func (s *shop) reserve(ctx context.Context, o Order) (int, error) {
//		return durable.InTx(ctx, pgprovider.Begin(s.pool, pgx.TxOptions{}), func(tx pgx.Tx) (int, error) {
//			var left int
//			err := tx.QueryRow(ctx, `UPDATE stock SET n = n - 1 WHERE item = $1 RETURNING n`, o.Item).Scan(&left)
//			return left, err
//		})
//	}
//
// A process that dies at any point leaves either both or neither, and then the
// activity runs again. Recording is fenced by the activity's lock: when that was
// lost, or the orchestration no longer wants the result, InTx rolls back and
// returns an error that is [ErrNotWanted]. Only what fn does through its handle
// is covered; the rest of the world still needs the idempotency key.
//
// An error of fn rolls back and is returned as it is; so does a panic. After an
// error of InTx the activity is as it was before, and may return the error or
// call InTx again; nothing is tried again by itself. If the connection breaks
// during the commit, nobody here knows whether it took effect. The error says so
// by being there, and the outcome is still one of the two: if it did, the result
// is recorded and the error that the activity returns is dropped.
//
// After InTx has succeeded the result is recorded. Return it: anything else that
// the activity returns is ignored, and Out must be the activity's own. fn must
// neither commit nor roll back, nor wait for other work of the provider on rows
// that it locked, and should be short. The lock is renewed before the
// transaction begins and then at its usual interval, except from the moment of
// recording. Above READ COMMITTED a renewal, which [Heartbeat] is too, makes the
// recording fail, so there the transaction must be shorter than that interval.
//
// begin is the provider's, such as pgprovider.Begin, or one of your own for
// another library on top of the same driver. InTx returns [ErrInvalidInput] for
// a nil function or a wrong Out, and [ErrNotSupported] when the provider takes
// no part in transactions, both before anything begins. It panics when ctx is
// not an activity's context.
func InTx[T, Out any](ctx context.Context, begin core.BeginFunc[T], fn func(tx T) (Out, error)) (Out, error) {
	var none Out
	task := taskOf(ctx, "InTx")
	if begin == nil || fn == nil {
		return none, fmt.Errorf("%w: InTx needs two functions", ErrInvalidInput)
	}
	if out := reflect.TypeFor[Out](); out != task.output {
		return none, fmt.Errorf("%w: InTx for %v in the activity %s, which returns %v", ErrInvalidInput, out, task.Name, task.output)
	}
	if err := task.PrepareTx(ctx); err != nil {
		return none, fmt.Errorf("activity %s: %w", task.Name, err)
	}
	handle, tx, err := begin(ctx)
	if err != nil {
		return none, fmt.Errorf("activity %s: begin its transaction: %w", task.Name, err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx) // what cannot be rolled back ends with its connection
	}()
	out, err := fn(handle)
	if err != nil {
		return none, err
	}
	text, err := encode(out)
	if err != nil {
		return none, fmt.Errorf("activity %s: output: %w", task.Name, err)
	}
	if err := task.CompleteTx(ctx, tx.Tx, text, tx.Commit); err != nil {
		return none, fmt.Errorf("activity %s: record its result: %w", task.Name, err)
	}
	committed = true
	return out, nil
}
