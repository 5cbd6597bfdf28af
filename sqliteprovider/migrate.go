package sqliteprovider

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

const (
	sqlLedgerExists = `
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'duroxide_go_migrations'`
	sqlCreateLedger = `
CREATE TABLE IF NOT EXISTS duroxide_go_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT`
	sqlApplied = `
SELECT version, name, sha256 FROM duroxide_go_migrations ORDER BY version`
	sqlRecord = `
INSERT INTO duroxide_go_migrations (version, name, sha256, applied_at) VALUES (?, ?, ?, ?)`

	// sqlForeign finds a table that only somebody else can have made while
	// there is no ledger.
	sqlForeign = `
SELECT name FROM sqlite_schema
 WHERE type = 'table' AND name IN ('instances', 'executions', 'history', 'orchestrator_queue', 'worker_queue')`

	sqlBeginExclusive = `BEGIN EXCLUSIVE`
)

var (
	// ErrNewerSchema is in the error of [Open] for a file that a newer version
	// of this module has migrated.
	ErrNewerSchema = errors.New("the schema is newer than this program")
	// ErrForeignSchema is in the error of [Open] for a file whose tables are
	// not those of this module.
	ErrForeignSchema = errors.New("the schema is not that of this provider")
)

// Migrations returns the files NNNN_name.sql that [Open] applies.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return sub
}

// A migration is one file of the schema.
type migration struct {
	version int
	name    string // of the file
	sum     string // of its content
	text    string
}

// shipped returns the embedded migrations in order.
func shipped() []migration {
	files, err := parseMigrations(Migrations())
	if err != nil {
		panic(err) // a test reads them
	}
	return files
}

func parseMigrations(fsys fs.FS) ([]migration, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s: the name does not begin with a number", name)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{version, name, hex.EncodeToString(sum[:]), string(text)})
	}
	slices.SortFunc(all, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	return all, nil
}

// migrate applies what is missing, in one transaction that nobody else can
// write beside. A schema that is up to date is only read.
func (p *Provider) migrate(ctx context.Context, files []migration) error {
	var missing []migration
	err := p.read(ctx, "migrate", func(ctx context.Context, c *conn) (err error) {
		missing, err = plan(ctx, c, files)
		return err
	})
	if err != nil || len(missing) == 0 {
		return err
	}
	t := &tx{ctx: context.WithoutCancel(ctx)}
	err = p.transact(ctx, sqlBeginExclusive, t, func(t *tx) error {
		// Another process may have been faster.
		missing, err := plan(t.ctx, t.conn, files)
		if err != nil || len(missing) == 0 {
			return err
		}
		if _, err := t.exec(sqlCreateLedger); err != nil {
			return err
		}
		for _, m := range missing {
			// Not prepared: it is several statements.
			if _, err := t.ExecContext(t.ctx, m.text); err != nil {
				return fmt.Errorf("migration %s: %w", m.name, err)
			}
			if _, err := t.exec(sqlRecord, m.version, m.name, m.sum, t.now); err != nil {
				return fmt.Errorf("migration %s: %w", m.name, err)
			}
			p.log.InfoContext(ctx, "migrated", "migration", m.name)
		}
		return nil
	})
	return classify(ctx, "migrate", err)
}

// plan compares the ledger with the files and returns those to apply.
func plan(ctx context.Context, c *conn, files []migration) ([]migration, error) {
	var one int
	found, err := c.row(ctx, sqlLedgerExists, nil, &one)
	if err != nil {
		return nil, err
	}
	if !found {
		var table string
		if found, err = c.row(ctx, sqlForeign, nil, &table); found {
			err = fmt.Errorf("%w: it has a table %s and no table duroxide_go_migrations", ErrForeignSchema, table)
		}
		return files, err
	}
	known := make(map[int]migration, len(files))
	for _, m := range files {
		known[m.version] = m
	}
	applied := map[int]bool{}
	err = c.rows(ctx, sqlApplied, nil, func(rows *sql.Rows) error {
		var m migration
		if err := rows.Scan(&m.version, &m.name, &m.sum); err != nil {
			return err
		}
		k, ok := known[m.version]
		switch {
		case !ok:
			return fmt.Errorf("%w: it has the migration %s", ErrNewerSchema, m.name)
		case k.name != m.name || k.sum != m.sum:
			return fmt.Errorf("%w: its migration %s is not the one of this program", ErrForeignSchema, m.name)
		}
		applied[m.version] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(files), func(m migration) bool { return applied[m.version] }), nil
}
