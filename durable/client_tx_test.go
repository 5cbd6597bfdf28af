package durable_test

import (
	"errors"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// What a client sends in a transaction is sent by its commit.
func TestClientTx(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		p := &transactional{Provider: e.p}
		e.p, e.client = p, durable.NewClient(p, nil)
		e.start(nil, main.With(func(ctx *durable.Context, in string) (string, error) {
			event, err := durable.WaitEvent[string](ctx, "go").Await(ctx)
			if err != nil {
				return "", err
			}
			message, err := durable.Dequeue[string](ctx, "inbox").Await(ctx)
			return in + event + message, err
		}), main.Version("2.0.0").With(func(ctx *durable.Context, _ string) (string, error) {
			ctx.Sleep(time.Hour)
			return "", nil
		}))
		in := func(f func(tx core.Tx) error) {
			t.Helper()
			_, open, err := p.begin(e.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := f(open.Tx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if err := open.Commit(e.ctx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		var run, second *durable.Run[string]
		in(func(tx core.Tx) (err error) {
			if run, err = main.Version("1.0.0").StartTx(e.ctx, e.client, tx, "i", "a"); err != nil {
				return err
			}
			if second, err = main.StartTx(e.ctx, e.client, tx, "j", ""); err != nil {
				return err
			}
			return e.client.StartTx(e.ctx, tx, string(main), "k", "")
		})
		if history, err := e.client.History(e.ctx, "k"); err != nil || len(history) == 0 {
			t.Errorf("the history of k is %v, %v", history, err)
		}
		in(func(tx core.Tx) error {
			return errors.Join(e.client.RaiseTx(e.ctx, tx, "i", "go", "b"), e.client.EnqueueTx(e.ctx, tx, "i", "inbox", "c"))
		})
		wantRun(e, run, "abc")
		in(func(tx core.Tx) error { return e.client.CancelTx(e.ctx, tx, "j", "no more") })
		wantFailure(e, second, "canceled: no more")
	})
}

// A call in a transaction refuses what the same call without one refuses, and
// never falls back to being without one.
func TestClientTxRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		without, tx := e.client, &memTx{}
		p := &transactional{Provider: e.p}
		e.p, e.client = p, durable.NewClient(p, nil)
		e.start(nil, code(func(*durable.Context, string) (string, error) { return "", nil })...)
		want(e, main, "taken", "", "")
		second := func(_ *durable.Run[string], err error) error { return err }
		for name, tt := range map[string]struct{ err, want error }{
			"start, empty id":       {second(main.StartTx(e.ctx, e.client, tx, "", "")), durable.ErrInvalidInput},
			"start, reserved id":    {e.client.StartTx(e.ctx, tx, "main", "sub::1", ""), durable.ErrInvalidInput},
			"start, bad version":    {second(main.Version("x").StartTx(e.ctx, e.client, tx, "i", "")), durable.ErrInvalidInput},
			"start, bad text":       {second(main.StartTx(e.ctx, e.client, tx, "i", "\xff")), durable.ErrInvalidInput},
			"start, taken":          {second(main.StartTx(e.ctx, e.client, tx, "taken", "", durable.OnConflict(durable.FailIfExists))), durable.ErrInstanceExists},
			"start, reuse":          {e.client.StartTx(e.ctx, tx, "main", "taken", "", durable.Reuse(durable.ReuseEnded)), durable.ErrInvalidInput},
			"typed start, reuse":    {second(main.StartTx(e.ctx, e.client, tx, "taken", "", durable.Reuse(durable.ReuseEnded))), durable.ErrInvalidInput},
			"version start, reuse":  {second(main.Version("1.0.0").StartTx(e.ctx, e.client, tx, "taken", "", durable.Reuse(durable.ReuseEnded))), durable.ErrInvalidInput},
			"start, no transaction": {second(main.StartTx(e.ctx, e.client, nil, "i", "")), durable.ErrInvalidInput},
			"raise, no transaction": {e.client.RaiseTx(e.ctx, nil, "i", "go", ""), durable.ErrInvalidInput},
			"raise, bad data":       {e.client.RaiseTx(e.ctx, tx, "i", "go", func() {}), durable.ErrInvalidInput},
			"message, bad data":     {e.client.EnqueueTx(e.ctx, tx, "i", "inbox", func() {}), durable.ErrInvalidInput},
			"message, unsupported":  {without.EnqueueTx(e.ctx, tx, "i", "inbox", ""), durable.ErrNotSupported},
			"cancel, unsupported":   {without.CancelTx(e.ctx, tx, "i", ""), core.ErrNotSupported},
		} {
			if !errors.Is(tt.err, tt.want) {
				t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
			}
		}
		if len(tx.ops) != 0 {
			t.Errorf("%d operations are in the transaction", len(tx.ops))
		}
		time.Sleep(time.Minute)
		if _, err := e.client.Status(e.ctx, "i"); !errors.Is(err, durable.ErrInstanceNotFound) {
			t.Errorf("status: %v", err)
		}
	})
}
