package notifier_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/notifier/pgxsource"
)

// A worker that looks for work when there may be some, and at least every 30 s.
func Example() {
	worker := func(ctx context.Context, config *pgx.ConnConfig, work func(context.Context) error) error {
		n, err := notifier.New(notifier.Options{Schema: "orders", Source: pgxsource.New(config)})
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		defer func() { <-done }()
		defer stop()

		w := n.Register(notifier.Worker, "")
		defer w.Release()
		for {
			if err := work(ctx); err != nil {
				return err
			}
			select {
			case <-w.C():
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	_ = worker
}

func ExampleClassify() {
	now := time.UnixMilli(1_700_000_000_000)
	for _, payload := range []string{"1699999999000", "1700000010000", "1700009999000"} {
		switch action, delay := notifier.Classify(payload, now, time.Minute, 0); action {
		case notifier.WakeNow:
			fmt.Println("look for work now")
		case notifier.WakeLater:
			fmt.Println("look for work in", delay)
		case notifier.Ignore:
			fmt.Println("a refresh will see it")
		}
	}
	// Output:
	// look for work now
	// look for work in 10s
	// a refresh will see it
}

// What a notifier does without a server to listen to: it polls.
func ExampleNotifier() {
	n, err := notifier.New(notifier.Options{DegradedInterval: 10 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancelCause(context.Background())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	w := n.Register(notifier.Orchestrator, "")
	<-w.C()
	fmt.Println("listening:", n.Status().Listening)
	w.Release()
	stop(errors.New("enough"))
	<-done
	// Output: listening: false
}
