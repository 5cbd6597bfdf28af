package pqsource_test

import (
	"context"
	"os"

	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/notifier/pqsource"
)

func ExampleNew() {
	listen := func(ctx context.Context) error {
		n, err := notifier.New(notifier.Options{Schema: "orders", Source: pqsource.New(os.Getenv("DATABASE_URL"))})
		if err != nil {
			return err
		}
		return n.Run(ctx)
	}
	_ = listen
}
