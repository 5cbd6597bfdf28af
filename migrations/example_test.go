package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/migrations"
)

// A program that migrates at start. Any number of its processes may start at
// once.
func ExampleRunURL() {
	ctx := context.Background()
	result, err := migrations.RunURL(ctx, os.Getenv("DATABASE_URL"), &migrations.Options{Schema: "orders"})
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range result.Applied {
		fmt.Println("applied", file.Name)
	}
}

// A program whose role may not change the schema checks that somebody did.
func ExampleRunPool_verify() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	_, err = migrations.RunPool(ctx, pool, &migrations.Options{Schema: "orders", Policy: migrations.Verify})
	switch {
	case errors.Is(err, migrations.ErrNoSchema), errors.Is(err, migrations.ErrNoLedger), errors.Is(err, migrations.ErrBehind):
		fmt.Println("ask the operator to migrate:", err)
	case errors.Is(err, migrations.ErrUnknownVersion):
		fmt.Println("this program is too old:", err)
	case err != nil:
		log.Fatal(err)
	}
}

func ExampleFiles() {
	for _, file := range migrations.Files()[:3] {
		fmt.Println(file)
	}
	// Output:
	// 1 (0001_initial_schema.sql)
	// 2 (0002_add_deletion_and_pruning_support.sql)
	// 3 (0003_add_capability_filtering.sql)
}

func ExampleValidateSchemaName() {
	for _, name := range []string{"orders", "user", "Orders", "pg_orders"} {
		fmt.Println(name, migrations.ValidateSchemaName(name))
	}
	// Output:
	// orders <nil>
	// user <nil>
	// Orders invalid schema name: "Orders" has upper-case letters; use "orders"
	// pg_orders invalid schema name: "pg_orders" is reserved by PostgreSQL
}
