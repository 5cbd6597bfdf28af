package pgprovider

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const (
	opCleanupSchema = "cleanup_schema"

	sqlCleanupSchema query = `SELECT @.cleanup_schema()`
)

// CleanupSchema is for tests: it removes everything of the provider from its
// schema, data included, and then the schema itself with whatever else is in it,
// unless that is public. No other schema is touched. The provider is of no use
// afterwards, except to be closed.
func (p *Provider) CleanupSchema(ctx context.Context) error {
	return p.retry(ctx, opCleanupSchema, deadlockRetries, isDeadlock, func() error {
		return classify(ctx, opCleanupSchema, p.cleanup(ctx))
	})
}

// cleanup works in one transaction, so that a victim of a deadlock can start
// again.
func (p *Provider) cleanup(ctx context.Context) error {
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlCleanupSchema.in(p.prefix)); err != nil {
			return err
		}
		if p.schema == defaultSchema {
			return nil
		}
		_, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{p.schema}.Sanitize()+` CASCADE`)
		return err
	})
}
