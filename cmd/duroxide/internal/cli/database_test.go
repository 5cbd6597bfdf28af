package cli

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

// The server refuses what an export must not do.
func TestReadOnlyPool(t *testing.T) {
	t.Parallel()
	db := database{url: migrationstest.URL(t), schema: "public"}
	pool, err := db.readOnlyPool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	const readOnlyTransaction = "25006"
	_, err = pool.Exec(t.Context(), `CREATE TABLE written ()`)
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != readOnlyTransaction {
		t.Errorf("error %v", err)
	}
}
