package migrations

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Print writes a script for psql that brings a schema from a version, 0 for none
// yet, to the one that options ask for, as [Run] would: for a database to which
// only an administrator may connect. It needs no connection. The script takes
// the migration lock, refuses a schema that is not at the version, and records
// what it applies.
func Print(w io.Writer, from int, options *Options) error {
	r, err := newRunner(nil, FS(), options)
	if err == nil && from != 0 && !r.has(from) {
		err = fmt.Errorf("no version %d: this program has versions %s", from, ranges(r.files))
	}
	if err == nil && from >= r.upTo {
		err = fmt.Errorf("nothing to print: version %d is not after version %d", r.upTo, from)
	}
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := io.WriteString(w, r.script(from)); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// script sets the session once, for all files.
func (r *runner) script(from int) string {
	var b strings.Builder
	fmt.Fprintf(&b, scriptHead, r.schema, from, r.upTo, r.quoted(), r.lockTimeout.Milliseconds(), lockKey(r.schema))
	b.WriteString(r.guard(from))
	if from == 0 && r.schema != "public" {
		fmt.Fprintf(&b, "\nCREATE SCHEMA IF NOT EXISTS %s;\n", r.quoted())
	}
	r.ownLedger = from >= firstOwn
	for _, m := range r.files {
		if m.Version <= from || m.Version > r.upTo {
			continue
		}
		if from == 0 {
			m = m.forNewSchema()
		}
		fmt.Fprintf(&b, "\n\\echo %s\n", m.Name)
		if m.transactional {
			fmt.Fprintf(&b, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n\n%s\n", strings.TrimSpace(m.sql))
		} else {
			b.WriteString(r.scriptAlone(&m))
			b.WriteString("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n")
		}
		if !m.Shared() && !r.ownLedger {
			fmt.Fprintf(&b, "\n%s;\n", ownLedgerSQL)
			r.ownLedger = true
		}
		fmt.Fprintf(&b, "\n%s;\nCOMMIT;\n", recordSQL(&m))
	}
	fmt.Fprintf(&b, scriptTail, lockKey(r.schema), r.schema, r.upTo)
	return b.String()
}

// scriptHead takes the lock without waiting inside the server, see acquireLock.
const scriptHead = `-- Migrates the schema %s of duroxide from version %d to %d.
--
--   psql -X -f THIS_FILE postgres://...
--
-- over a direct connection, not through a pooler, and without --single-transaction:
-- every file is a transaction of its own. If it fails, what is applied stays and
-- is recorded; print the rest from the version that the schema has then.

\set ON_ERROR_STOP on
\set AUTOCOMMIT on
\set QUIET on
SET client_min_messages TO warning;
SET default_transaction_read_only TO off;
SET statement_timeout TO 0;
SET search_path TO %s, pg_temp;
SET lock_timeout TO %d;

DO $duroxide$
BEGIN
    IF NOT pg_catalog.pg_try_advisory_lock(%d) THEN
        RAISE EXCEPTION 'another process migrates the schema: run this script again later';
    END IF;
END
$duroxide$;
`

const scriptTail = `
DO $duroxide$ BEGIN PERFORM pg_catalog.pg_advisory_unlock(%d); END $duroxide$;
RESET search_path;
RESET lock_timeout;
RESET statement_timeout;
RESET default_transaction_read_only;
RESET client_min_messages;
\echo schema %s is at version %d
`

// guard refuses a schema that is not at the version.
func (r *runner) guard(from int) string {
	if from == 0 {
		var names []string
		for _, name := range relationNames(r.files) {
			names = append(names, literal(name))
		}
		return fmt.Sprintf(newSchemaGuard, literal(r.schema), strings.Join(names, ", "), r.schema)
	}
	var versions []string
	for _, m := range r.files {
		if m.Version <= from {
			versions = append(versions, strconv.Itoa(m.Version))
		}
	}
	ledgers := fmt.Sprintf("SELECT version FROM %s.%s", r.quoted(), sharedLedger)
	absent := ""
	if from < firstOwn {
		absent = fmt.Sprintf("pg_catalog.to_regclass(%s) IS NOT NULL\n       OR ", literal(r.quoted()+"."+ownLedger))
	} else {
		ledgers += fmt.Sprintf(" UNION ALL SELECT version FROM %s.%s", r.quoted(), ownLedger)
	}
	return fmt.Sprintf(versionGuard, absent, ledgers, strings.Join(versions, ", "), r.schema, from)
}

const newSchemaGuard = `
DO $duroxide$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = %s
                  AND c.relname IN (%s)) THEN
        RAISE EXCEPTION 'schema %s is in use: print the script from the version that it has';
    END IF;
END
$duroxide$;
`

const versionGuard = `
DO $duroxide$
BEGIN
    IF %s(SELECT pg_catalog.array_agg(l.version ORDER BY l.version)
             FROM (%s) l)
          IS DISTINCT FROM ARRAY[%s]::bigint[] THEN
        RAISE EXCEPTION 'schema %s is not at version %d: print the script from the version that it has';
    END IF;
END
$duroxide$;
`

// scriptAlone is a file whose statements run outside a transaction.
func (r *runner) scriptAlone(m *migration) string {
	var b strings.Builder
	for i := range m.statements {
		s := &m.statements[i]
		index := s.concurrentIndex()
		if index != "" {
			fmt.Fprintf(&b, dropInvalidScript, literal(r.schema), literal(index))
			b.WriteString("SET lock_timeout TO 0;\n")
		}
		fmt.Fprintf(&b, "%s;\n", s.text)
		if index != "" {
			fmt.Fprintf(&b, "SET lock_timeout TO %d;\n", r.lockTimeout.Milliseconds())
		}
	}
	return b.String()
}

const dropInvalidScript = `SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %%I.%%I', n.nspname, c.relname)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s AND NOT i.indisvalid
\gexec
`
