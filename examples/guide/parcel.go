package guide

import (
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

// parcel asks two carriers and takes the first that answers.
func parcel(ctx *durable.Context, customer string) (string, error) {
	fast := durable.Go(ctx, func(ctx *durable.Context) (string, error) { return offer(ctx, "fast", time.Hour) })
	cheap := durable.Go(ctx, func(ctx *durable.Context) (string, error) { return offer(ctx, "cheap", day) })
	winner := []*durable.Future[string]{fast, cheap}[durable.Race(ctx, fast, cheap)]
	tracking, err := winner.Await(ctx)
	if err != nil {
		return "", err
	}
	if err := durable.KVSet(ctx, "tracking", tracking); err != nil {
		return "", err
	}
	return tracking, nil
}

// offer waits for one carrier.
func offer(ctx *durable.Context, carrier string, patience time.Duration) (string, error) {
	if _, err := Mail.Call(ctx, "Dear "+carrier+", we have a parcel."); err != nil {
		return "", err
	}
	answer, deadline := durable.WaitEvent[string](ctx, carrier), ctx.Timer(patience)
	if durable.Race(ctx, answer, deadline) == 0 {
		return answer.Await(ctx)
	}
	return carrier + " by default", nil
}
