package calls

import (
	"context"
	"log/slog"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

const (
	charge = durable.Activity[int, string]("charge")
	refund = durable.Activity[string, bool]("refund")
	audit  = durable.Orchestration[string, string]("audit")
)

func discards(ctx *durable.Context, n int) error {
	charge.Schedule(ctx, n)                                    // want `orchestration code discards the future of charge.Schedule: it is given up when the function or block returns; await it, join it, or start a detached orchestration`
	_ = charge.Schedule(ctx, n)                                // want `discards the future of charge.Schedule`
	ctx.Timer(time.Hour)                                       // want `discards the future of ctx.Timer`
	durable.Go(ctx, func(ctx *durable.Context) (bool, error) { // want `discards the future of durable.Go`
		return true, nil
	})
	kept, _ := charge.Schedule(ctx, n), charge.Schedule(ctx, n) // want `discards the future of charge.Schedule`
	_, err := kept.Await(ctx)

	_, _ = charge.Schedule(ctx, n).Await(ctx)
	durable.Join(ctx, charge.Schedule(ctx, n), charge.Schedule(ctx, n))
	durable.Race(ctx, charge.Schedule(ctx, n), ctx.Timer(time.Hour))
	charge.Schedule(ctx, n).Cancel()
	_ = audit.StartDetached(ctx, "id", "")
	return err
}

type saga struct{}

func (saga) compensate(ctx *durable.Context) {}

func defers(ctx *durable.Context, n int) error {
	defer refund.Call(ctx, "") // want `orchestration code calls refund.Call in a deferred function: deferred functions also run when an orchestration merely stops waiting; do it on every path that returns`
	defer func() {
		if n > 3 {
			ctx.SetStatus("done") // want `calls ctx.SetStatus in a deferred function`
		}
	}()
	defer saga{}.compensate(ctx)                       // want `calls saga{}.compensate in a deferred function`
	defer func() { ctx.Logger().Info("done") }()       // want `calls ctx.Logger in a deferred function`
	defer func(c *durable.Context) { c.Sleep(1) }(ctx) // want `calls c.Sleep in a deferred function`

	timer := ctx.Timer(time.Hour)
	defer timer.Cancel()
	began := ctx.Now()
	defer func() { n += len(ctx.InstanceID()) + ctx.Now().Compare(began) }()
	defer note(ctx.Now())
	return nil
}

func note(time.Time) {}

type store interface {
	Save(ctx context.Context, v string) error
}

func gives(ctx *durable.Context, s store, client *durable.Client, clean func(context.Context) error) {
	_ = s.Save(context.Background(), "")                         // want `orchestration code gives s.Save a context.Context: what needs one is work for an activity`
	_ = clean(context.TODO())                                    // want `gives clean a context.Context`
	_ = client.RaiseEvent(context.Background(), "id", "go", nil) // want `gives client.RaiseEvent a context.Context`
	_ = audit.Start(context.Background(), client, "id", "")      // want `gives audit.Start a context.Context`
	_, _ = doCharge(context.Background(), 1)                     // want `gives doCharge a context.Context`

	ctx.Logger().InfoContext(context.Background(), "here")
	_ = context.WithValue(context.Background(), key{}, 1)
	_ = slog.String("a", "b")
}

type key struct{}

func doCharge(ctx context.Context, n int) (string, error) { return "", nil }
