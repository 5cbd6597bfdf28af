package tickets_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/tickets"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Ten customers want the four seats of a row: four get one each, which the table
// says too. A sale that is refused starts nothing.
func TestSell(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db := migrationstest.New(t)
	provider, err := pgprovider.NewFromURL(ctx, db.URL, &pgprovider.Options{Schema: db.Schema})
	must(t, err)
	t.Cleanup(func() { _ = provider.Close() })
	shop, err := tickets.New(ctx, db.Pool, provider, db.Schema)
	must(t, err)
	seats := pgx.Identifier{db.Schema, "demo_seats"}.Sanitize()
	_, err = db.Pool.Exec(ctx, `INSERT INTO `+seats+` SELECT 'row 7', n FROM pg_catalog.generate_series(1, 4) n`)
	must(t, err)

	reg := durable.NewRegistry()
	must(t, reg.Add(shop.Code()...))
	rt, err := durable.NewRuntime(provider, reg, nil)
	must(t, err)
	must(t, rt.Start(ctx))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})

	std := stdlib.OpenDBFromPool(db.Pool)
	t.Cleanup(func() { _ = std.Close() })
	client := durable.NewClient(provider, nil)
	taken := map[int]string{}
	for i := range 10 {
		id := fmt.Sprintf("sale-%d", i)
		if i%2 == 0 {
			must(t, shop.Sell(ctx, id, "row 7"))
			if err := shop.Sell(ctx, id, "row 8"); err == nil {
				t.Errorf("%s was sold twice", id)
			}
		} else {
			must(t, shop.SellSQL(ctx, std, id, "row 7"))
			if err := shop.SellSQL(ctx, std, id, "row 8"); err == nil {
				t.Errorf("%s was sold twice", id)
			}
		}
	}
	for i := range 10 {
		id := fmt.Sprintf("sale-%d", i)
		seat, err := tickets.Sale.Run(client, id).Wait(ctx)
		switch {
		case err == nil && taken[seat] == "":
			taken[seat] = id
		case err == nil:
			t.Errorf("seat %d was sold to %s and %s", seat, taken[seat], id)
		case !strings.Contains(err.Error(), tickets.ErrSoldOut.Error()):
			t.Errorf("%s: %v", id, err)
		}
	}
	if len(taken) != 4 {
		t.Errorf("sold %v, want four seats", taken)
	}
	for seat, id := range taken {
		var got string
		must(t, db.Pool.QueryRow(ctx, `SELECT sale FROM `+seats+` WHERE number = $1`, seat).Scan(&got))
		if got != id {
			t.Errorf("seat %d is %s's in the table and %s's by its workflow", seat, got, id)
		}
	}
}
