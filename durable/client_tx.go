package durable

import (
	"context"
	"fmt"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// StartTx is [Client.Start] in a transaction of the caller's: the instance
// starts when the caller commits, and never if the caller rolls back. The
// provider's package makes the tx, such as pgprovider.Tx out of a pgx.Tx.
//
// The rules of ids and options are those of Start. A conflict is looked for
// outside the transaction, by a read of its own: [FailIfExists] sees what others
// have committed, and neither the starts of this transaction nor those that
// others commit before it. Whatever is missed, a second start of an id is
// ignored when it arrives. To reuse an id ([Reuse]) is [ErrInvalidInput]: what is
// there would have to be deleted in another transaction.
//
// When StartTx returns an error, roll back, unless that is [ErrInvalidInput],
// [ErrInstanceExists], [ErrNotSupported] or [core.ErrForeignTx], which leave the
// transaction as it was. Nothing is tried again inside a transaction; whether
// the whole of it may be, [core.IsRetryable] and the driver's own error in the
// chain tell.
func (c *Client) StartTx(ctx context.Context, tx core.Tx, name, id, input string, opts ...StartOption) error {
	return c.start(ctx, c.sendIn(tx), name, nil, id, input, inTransaction(opts))
}

// inTransaction adds to the options of a start that it is one of a transaction.
func inTransaction(opts []StartOption) []StartOption {
	return append(slices.Clip(opts), func(c *startConfig) { c.inTx = true })
}

// RaiseTx is [Client.RaiseEvent] in a transaction of the caller's: the event is
// sent when the caller commits. For errors see [Client.StartTx].
func (c *Client) RaiseTx(ctx context.Context, tx core.Tx, id, name string, data any) error {
	return c.raise(ctx, c.sendIn(tx), id, name, data)
}

// EnqueueTx is [Client.EnqueueMessage] in a transaction of the caller's: the
// message is sent when the caller commits. Messages of one transaction keep
// their order; one that is committed earlier may be read earlier, whichever was
// enqueued first. For errors see [Client.StartTx].
func (c *Client) EnqueueTx(ctx context.Context, tx core.Tx, id, queue string, data any) error {
	return enqueue(ctx, c.sendIn(tx), id, queue, data)
}

// CancelTx is [Client.Cancel] in a transaction of the caller's: the instance is
// cancelled when the caller commits. For errors see [Client.StartTx].
func (c *Client) CancelTx(ctx context.Context, tx core.Tx, id, reason string) error {
	return c.cancel(ctx, c.sendIn(tx), id, reason)
}

// sendIn returns what stores a message in a transaction of the caller's.
func (c *Client) sendIn(tx core.Tx) sender {
	return func(ctx context.Context, what, id string, params core.EnqueueForOrchestratorParams) error {
		if tx == nil {
			return fmt.Errorf("%s %s: %w: the transaction is nil", what, id, ErrInvalidInput)
		}
		p, ok := core.Ability[core.TxEnqueuer](c.provider)
		if !ok {
			return fmt.Errorf("%s %s: %w: the provider %s takes no part in transactions of its caller", what, id, ErrNotSupported, c.provider.Name())
		}
		if err := p.EnqueueForOrchestratorTx(ctx, tx, params); err != nil {
			return fmt.Errorf("%s %s: %w", what, id, err)
		}
		return nil
	}
}
