package sqliteprovider

import (
	"context"
	"database/sql"
	"io/fs"

	"github.com/duroxide/duroxide-go/core"
)

// Exec runs a statement on the database of a provider.
func Exec(ctx context.Context, p *Provider, query string, args ...any) error {
	return p.write(ctx, "exec", func(t *tx) error {
		_, err := t.exec(query, args...)
		return err
	})
}

// Hold runs statements in one transaction, and then f before it commits.
func Hold(ctx context.Context, p *Provider, f func(), queries ...string) error {
	return p.write(ctx, "hold", func(t *tx) error {
		for _, query := range queries {
			if _, err := t.exec(query); err != nil {
				return err
			}
		}
		f()
		return nil
	})
}

// QueryRow reads one row from the database of a provider.
func QueryRow(ctx context.Context, p *Provider, query string, args []any, dst ...any) (found bool, err error) {
	return p.readRow(ctx, "query", query, args, dst...)
}

// QueryColumn reads the first column of the result of a query.
func QueryColumn[T any](ctx context.Context, p *Provider, query string, args ...any) ([]T, error) {
	return list[T](ctx, p, "query", query, args...)
}

// Plan returns how a query would be run.
func Plan(ctx context.Context, p *Provider, query string) (plan []string, err error) {
	err = p.read(ctx, "plan", func(ctx context.Context, c *conn) error {
		return c.rows(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, 8), func(rows *sql.Rows) error {
			var id, parent, unused int
			var line string
			err := rows.Scan(&id, &parent, &unused, &line)
			plan = append(plan, line)
			return err
		})
	})
	return plan, err
}

// SkipFlush makes commits faster that no crash of the machine will follow.
func SkipFlush(p *Provider) { p.noFlush = true }

// WithClock returns a provider on the same database, which ends with p.
func WithClock(p *Provider, clock core.Clock) *Provider {
	return &Provider{
		db: p.db, writer: p.writer, readers: p.readers, file: p.file, clock: clock, log: p.log, busyTimeout: p.busyTimeout,
		longPolls: p.longPolls, noFlush: p.noFlush, turns: p.turns, work: p.work, wanted: p.wanted,
		closing: p.closing, close: p.close,
	}
}

// Migrate migrates the database of a provider with these files instead.
func Migrate(ctx context.Context, p *Provider, fsys fs.FS) error {
	files, err := parseMigrations(fsys)
	if err != nil {
		return err
	}
	return p.migrate(ctx, files)
}

// Queries are the statements whose plans matter.
var Queries = map[string]string{
	"candidate": sqlCandidate, "turn due": sqlTurnDue, "oldest of all": sqlOldestOfAll, "oldest of tags": sqlOldestOfTags,
	"work due": sqlWorkDue, "ack activity": sqlAckActivity, "renew activity": sqlRenewActivity, "mark": sqlMarkBatch,
	"delete batch": sqlDeleteBatch, "history": sqlReadHistory, "last event": sqlLastEvent, "cancel": sqlCancelActivity, "children": sqlListChildren,
}
