package guide

import "github.com/duroxide/duroxide-go/durable"

// Plan is a subscription: a book each month.
type Plan struct {
	Book Book `json:"book"`
	// Sent counts the books so far.
	Sent int `json:"sent"`
}

// subscription has no end. Each month is an execution of its own with an empty
// history; what it must not forget is its input.
func subscription(ctx *durable.Context, p Plan) (int, error) {
	stop, month := durable.Dequeue[string](ctx, "stop"), ctx.Timer(30*day)
	if durable.Race(ctx, stop, month) == 0 {
		return p.Sent, nil
	}
	if _, err := Order.Call(ctx, p.Book); err != nil {
		ctx.Logger().Warn("a book failed", "error", err)
	}
	p.Sent++
	return 0, Subscription.ContinueAsNew(p)
}
