package durable

import (
	"context"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// RequestCancel asks an instance to end by itself: its code learns of it through
// [Context.CancelRequested] and decides what to do. Code that does not ask goes on
// as if nothing had happened; [Client.Cancel] ends any instance, but without
// letting its code clean up. The request waits until it is seen. It is lost when the
// instance was never started.
func (c *Client) RequestCancel(ctx context.Context, id, reason string) error {
	text, err := encode(reason)
	if err != nil {
		return fmt.Errorf("request to cancel %s: %w: %w", id, ErrInvalidInput, err)
	}
	return c.send(ctx, "request to cancel", id, now(core.QueueMessageItem{Instance: id, Name: replay.CancelQueue, Data: text}))
}
