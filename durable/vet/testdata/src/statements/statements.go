package statements

import (
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

func flow(ctx *durable.Context, n int) (int, error) {
	ch := make(chan int, 1)
	go func() { // want `orchestration code starts a goroutine: start a block with durable.Go`
		ch <- n // want `orchestration code sends on a channel: pass values in futures, or wait with durable.WaitEvent or durable.Dequeue`
	}()
	n = <-ch       // want `receives from a channel`
	close(ch)      // want `closes a channel`
	for range ch { // want `receives from a channel`
	}
	select { // want `waits in a select: wait with durable.Select or durable.Race`
	case n = <-ch:
		n++
	case ch <- n:
	default:
		println(n) // want `calls println: use ctx.Logger\(\), which is silent while history is replayed`
	}
	return n, nil
}

// What a block of an orchestration or a helper with the context does counts as
// well.
func block(ctx *durable.Context, in string) (string, error) {
	return durable.Go(ctx, func(ctx *durable.Context) (string, error) {
		helper := func() { go wait() } // want `starts a goroutine`
		helper()
		return in, nil
	}).Await(ctx)
}

type flows struct{ wait time.Duration }

func (f flows) method(ctx *durable.Context, in string) (string, error) {
	go wait() // want `starts a goroutine`
	return in, nil
}

var literal = func(ctx *durable.Context, in string) (string, error) {
	go wait() // want `starts a goroutine`
	return in, nil
}

// steps carries the context, and its methods are orchestration code.
type steps struct{ ctx *durable.Context }

func (s *steps) run() {
	go wait() // want `starts a goroutine`
}

func receive[C chan int](ctx *durable.Context, ch C) {
	for range ch { // want `receives from a channel`
	}
}

func wait() {}

// Ordinary code may do all of it, also around the code of an orchestration.
func ordinary(o durable.Orchestration[string, string]) { // want ordinary:`starts a goroutine`
	done := make(chan struct{})
	go func() { close(done) }()
	o.With(func(ctx *durable.Context, in string) (string, error) { return in, nil })
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

func quiet(ctx *durable.Context, items []string) (string, error) {
	var futures []*durable.Future[string]
	for _, item := range items {
		futures = append(futures, durable.Go(ctx, func(ctx *durable.Context) (string, error) {
			ctx.Sleep(time.Second)
			return item, nil
		}))
	}
	switch durable.Race(ctx, futures[0], ctx.Timer(time.Minute)) {
	case 0:
		return futures[0].Await(ctx)
	}
	return "", nil
}
