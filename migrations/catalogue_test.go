package migrations_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/migrations"
)

// objectsSQL lists all that a schema holds except functions, in the columns of
// schema.tsv.
const objectsSQL = `
WITH rel AS (
    SELECT c.oid, c.relname, c.relkind
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1
)
SELECT 'column', r.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE 'NULL' END,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), 'ordinal=' || a.attnum
  FROM rel r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
 WHERE r.relkind NOT IN ('i', 'S')
UNION ALL
SELECT 'constraint', r.relname, c.conname, CASE c.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE c.contype::text END,
       '', '', pg_get_constraintdef(c.oid)
  FROM rel r
  JOIN pg_constraint c ON c.conrelid = r.oid
 WHERE c.contype <> 'n'
UNION ALL
SELECT 'index', r.relname, x.relname, CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || m.amname,
       '', '', pg_get_indexdef(x.oid)
  FROM rel r
  JOIN pg_index i ON i.indrelid = r.oid
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam
UNION ALL
SELECT 'trigger', r.relname, t.tgname, CASE t.tgtype WHEN 5 THEN 'AFTER INSERT FOR EACH ROW' ELSE t.tgtype::text END,
       '', '', pg_get_triggerdef(t.oid)
  FROM rel r
  JOIN pg_trigger t ON t.tgrelid = r.oid
 WHERE NOT t.tgisinternal
UNION ALL
SELECT 'sequence', d.refobjid::regclass::text, r.relname, format_type(s.seqtypid, NULL), '', '',
       format('START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s %s; OWNED BY %s', s.seqstart, s.seqincrement,
              s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END, a.attname)
  FROM rel r
  JOIN pg_sequence s ON s.seqrelid = r.oid
  LEFT JOIN pg_depend d ON d.objid = r.oid AND d.deptype = 'a'
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid`

// functionsSQL lists functions in the columns of functions.tsv.
const functionsSQL = `
SELECT p.proname::text, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid),
       pg_get_function_arguments(p.oid),
       CASE p.provolatile WHEN 'v' THEN 'volatile' ELSE p.provolatile::text END,
       left(p.proretset::text, 1), l.lanname::text, left(p.proisstrict::text, 1), left(p.prosecdef::text, 1),
       CASE p.proparallel WHEN 'u' THEN 'unsafe' ELSE p.proparallel::text END, p.procost::text, p.prorows::text
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE n.nspname = $1`

// bodiesSQL lists what of a function its signature does not show.
const bodiesSQL = `
SELECT p.proname::text || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proconfig::text, p.prosrc
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = $1`

// describe runs a catalogue query and returns its rows, sorted, with SCHEMA in
// place of the schema's name.
func describe(t *testing.T, pool *pgxpool.Pool, schema, query string) []string {
	t.Helper()
	lines, err := tryDescribe(t.Context(), pool, schema, query)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func tryDescribe(ctx context.Context, pool *pgxpool.Pool, schema, query string) ([]string, error) {
	rows, err := pool.Query(ctx, query, schema)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lines := []string{}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		var texts []string
		for _, v := range values {
			texts = append(texts, fmt.Sprint(v))
		}
		line := strings.ReplaceAll(strings.Join(texts, "\t"), schema+".", "SCHEMA.")
		// A table alone, as the owner of a sequence, is written unqualified.
		lines = append(lines, strings.Replace(line, "\tSCHEMA.", "\t", 1))
	}
	slices.Sort(lines)
	return lines, rows.Err()
}

// catalogue is all that a schema holds, bodies included.
func catalogue(t *testing.T, pool *pgxpool.Pool, schema string) []string {
	t.Helper()
	var all []string
	for _, query := range []string{objectsSQL, functionsSQL, bodiesSQL} {
		for _, line := range describe(t, pool, schema, query) {
			all = append(all, strings.ReplaceAll(line, schema, "SCHEMA"))
		}
	}
	return all
}

func TestCatalogueOfEachVersion(t *testing.T) {
	t.Parallel()
	for version := 1; version <= migrations.SharedVersion; version++ {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			f := setupAt(t, version)

			var objects []string
			for _, fields := range readTSV(t, "schema.tsv") {
				if since, _ := strconv.Atoi(fields[7]); since <= version {
					objects = append(objects, strings.Join(fields[:7], "\t"))
				}
			}
			slices.Sort(objects)
			if diff := cmp.Diff(objects, describe(t, f.Pool, f.Schema, objectsSQL)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}

			var signatures []string
			for _, line := range describe(t, f.Pool, f.Schema, functionsSQL) {
				signatures = append(signatures, strings.Join(strings.Split(line, "\t")[:3], "\t"))
			}
			if diff := cmp.Diff(signaturesAt(t, version), signatures); diff != "" {
				t.Errorf("functions (-want +got):\n%s", diff)
			}
			f.want([]string{"0"}, `SELECT count(*) FROM pg_proc WHERE pronamespace = $1::regnamespace
				AND proconfig IS DISTINCT FROM ARRAY['search_path=' || $1 || ', pg_temp']`, f.Schema)
		})
	}
}

// signaturesAt adds up the changes of functions-by-version.tsv.
func signaturesAt(t *testing.T, version int) []string {
	t.Helper()
	results := map[string]string{}
	for _, fields := range readTSV(t, "functions-by-version.tsv") {
		if v, _ := strconv.Atoi(fields[0]); v > version {
			continue
		}
		signature := fields[1] + "\t" + fields[2]
		if fields[3] == "(dropped)" {
			delete(results, signature)
		} else {
			results[signature] = fields[3]
		}
	}
	var lines []string
	for signature, result := range results {
		lines = append(lines, signature+"\t"+result)
	}
	slices.Sort(lines)
	return lines
}

func TestFunctionsAtSharedVersion(t *testing.T) {
	t.Parallel()
	f := setupAt(t, migrations.SharedVersion)
	var want []string
	for _, fields := range readTSV(t, "functions.tsv") {
		want = append(want, strings.Join(fields[:12], "\t"))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, describe(t, f.Pool, f.Schema, functionsSQL)); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestFunctionsChangeOnlyWhereListed(t *testing.T) {
	t.Parallel()
	last := map[string]int{}
	for _, fields := range readTSV(t, "functions.tsv") {
		last[fields[0]], _ = strconv.Atoi(fields[13])
	}
	f := setupAt(t, 0)
	var before []string
	for version := 1; version <= migrations.SharedVersion; version++ {
		if _, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema, UpTo: version}); err != nil {
			t.Fatal(err)
		}
		after := catalogueBodies(t, f)
		for _, line := range after {
			name, _, _ := strings.Cut(line, "(")
			if version > last[name] && !slices.Contains(before, line) {
				t.Errorf("version %d changes %s, last changed by %d", version, name, last[name])
			}
		}
		before = after
	}
}

func catalogueBodies(t *testing.T, f fixture) []string {
	t.Helper()
	var lines []string
	for _, line := range describe(t, f.Pool, f.Schema, bodiesSQL) {
		lines = append(lines, strings.ReplaceAll(line, f.Schema, "SCHEMA"))
	}
	return lines
}
