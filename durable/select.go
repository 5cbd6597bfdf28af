package durable

// Race waits for the first of the futures and gives the others up. It returns
// the winner's index; of several that are ready, the first in the list wins.
// It panics when there are none.
//
//	approval, deadline := durable.WaitEvent[Approval](ctx, "approval"), ctx.Timer(72*time.Hour)
//	switch durable.Race(ctx, approval, deadline) {
//	case 0:
//		a, err := approval.Await(ctx)
//		…
//	case 1:
//		return "expired", nil
//	}
func Race(ctx *Context, futures ...Awaitable) int {
	winner := Select(ctx, futures...)
	for i, f := range futures {
		if i != winner {
			f.Cancel()
		}
	}
	return winner
}

// Select waits for the first of the futures and leaves the others as they are.
// It returns the winner's index; of several that are ready, the first in the
// list wins. The winner counts as awaited: a message that it took is taken. It
// panics when there are none.
func Select(ctx *Context, futures ...Awaitable) int {
	if len(futures) == 0 {
		panic("durable: Select and Race need at least one future")
	}
	winner := -1
	ctx.engine.Block(func() bool {
		for i, f := range futures {
			if f.Ready() {
				winner = i
				return true
			}
		}
		return false
	})
	futures[winner].observe()
	return winner
}

// Outcome is a value or an error.
type Outcome[T any] struct {
	Value T
	Err   error
}

// Join waits for all futures and returns their outcomes in the order of the
// list.
func Join[T any](ctx *Context, futures ...*Future[T]) []Outcome[T] {
	outcomes := make([]Outcome[T], len(futures))
	waiting := make([]int, len(futures))
	for i := range waiting {
		waiting[i] = i
	}
	// Each is observed as soon as it is ready, so that an abandoned join does
	// not give up what it already has. Decoding is user code and waits.
	ctx.engine.Block(func() bool {
		still := waiting[:0]
		for _, i := range waiting {
			if !futures[i].Ready() {
				still = append(still, i)
				continue
			}
			futures[i].observe()
		}
		waiting = still
		return len(waiting) == 0
	})
	for i, f := range futures {
		outcomes[i].Value, outcomes[i].Err = f.take()
	}
	return outcomes
}

// JoinAll waits for all futures and returns their values in the order of the
// list, or the first error in that order.
func JoinAll[T any](ctx *Context, futures ...*Future[T]) ([]T, error) {
	values := make([]T, len(futures))
	for i, o := range Join(ctx, futures...) {
		if o.Err != nil {
			return nil, o.Err
		}
		values[i] = o.Value
	}
	return values, nil
}
