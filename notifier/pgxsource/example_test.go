package pgxsource_test

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/notifier/pgxsource"
)

func ExampleFromPool() {
	listen := func(ctx context.Context, pool *pgxpool.Pool) error {
		n, err := notifier.New(notifier.Options{Schema: "orders", Source: pgxsource.FromPool(pool)})
		if err != nil {
			return err
		}
		return n.Run(ctx)
	}
	_ = listen
}
