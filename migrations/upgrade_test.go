package migrations_test

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/migrations"
)

const (
	ledgerSQL    = `SELECT version, name FROM {S}._duroxide_migrations ORDER BY version`
	ownLedgerSQL = `SELECT version, name FROM {S}._duroxide_go_migrations ORDER BY version`
)

// wantLedgers expects that the migrations up to a version are recorded, each
// in the ledger of its lineage.
func (f fixture) wantLedgers(version int) {
	f.Helper()
	shared, own := []string{}, []string(nil)
	for _, file := range migrations.Files() {
		row := strconv.Itoa(file.Version) + "|" + file.Name
		switch {
		case file.Version > version:
		case file.Shared():
			shared = append(shared, row)
		default:
			own = append(own, row)
		}
	}
	f.want(shared, ledgerSQL)
	if diff := cmp.Diff(own, f.ledger("_duroxide_go_migrations", ownLedgerSQL)); diff != "" {
		f.Errorf("own ledger (-want +got):\n%s", diff)
	}
}

// ledger returns the rows of a ledger, nil if there is none.
func (f fixture) ledger(table, query string) []string {
	f.Helper()
	if f.rows(`SELECT to_regclass($1) IS NULL`, f.Schema+"."+table)[0] == "true" {
		return nil
	}
	return f.rows(query)
}

// Whoever brought a schema to version k, the rest gives the same schema.
func TestContinueFromEachVersion(t *testing.T) {
	t.Parallel()
	direct := setup(t)
	want := catalogue(t, direct.Pool, direct.Schema)
	files := migrations.Files()
	for i, file := range files[:len(files)-1] {
		t.Run(strconv.Itoa(file.Version), func(t *testing.T) {
			t.Parallel()
			f := setupAt(t, file.Version)
			f.wantLedgers(file.Version)
			result, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(files[i+1:], result.Applied); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			f.wantLedgers(lastVersion())
			if diff := cmp.Diff(want, catalogue(t, f.Pool, f.Schema)); diff != "" {
				t.Errorf("catalogue (-want +got):\n%s", diff)
			}
		})
	}
}

// A Rust client may find the tables of a schema gone and run every file again
// over what is left, and any file may run twice.
func TestFilesAreIdempotent(t *testing.T) {
	t.Parallel()
	t.Run("each twice", func(t *testing.T) {
		t.Parallel()
		f := setupAt(t, 0)
		conn := f.connect()
		for _, file := range migrations.Files() {
			f.applyPlain(conn, file)
			want := catalogue(t, f.Pool, f.Schema)
			f.applyPlain(conn, file)
			if diff := cmp.Diff(want, catalogue(t, f.Pool, f.Schema)); diff != "" {
				t.Errorf("%s (-first +second):\n%s", file.Name, diff)
			}
		}
	})
	t.Run("all again over the last version", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		want := catalogue(t, f.Pool, f.Schema)
		f.exec(`DROP TABLE {S}.instances`)
		conn := f.connect()
		f.execOn(conn, `SET search_path TO {S}, pg_temp`) // written as the runner does
		for _, file := range migrations.Files() {
			f.applyPlain(conn, file)
		}
		if diff := cmp.Diff(want, catalogue(t, f.Pool, f.Schema)); diff != "" {
			t.Errorf("catalogue (-want +got):\n%s", diff)
		}
	})
}

// Rust's own files carry no SET clause and name their schema; ours must replace
// such functions without a trace.
func TestReplacesFunctionsWithoutSettings(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 2)
	for _, signature := range f.rows(`SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = $1::regnamespace`, f.Schema) {
		f.exec(`ALTER FUNCTION ` + signature + ` RESET ALL`)
	}
	if _, err := migrations.RunPool(t.Context(), f.Pool, &migrations.Options{Schema: f.Schema}); err != nil {
		t.Fatal(err)
	}
	f.want([]string{"true"}, `SELECT proconfig IS NOT NULL FROM pg_proc WHERE oid = '{S}.ack_orchestration_item'::regproc`)
}

func TestConcurrentProviders(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	f.exec(`DROP SCHEMA {S}`)
	const providers = 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	applied := map[string]int{}
	for range providers {
		wg.Go(func() {
			result, err := migrations.RunURL(t.Context(), f.URL, &migrations.Options{Schema: f.Schema})
			if err != nil {
				t.Error(err)
			}
			if result.Version != lastVersion() {
				t.Errorf("version %d after the run", result.Version)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, file := range result.Applied {
				applied[file.Name]++
			}
		})
	}
	wg.Wait()
	want := map[string]int{}
	for _, file := range migrations.Files() {
		want[file.Name] = 1
	}
	if diff := cmp.Diff(want, applied); diff != "" {
		t.Errorf("applied how often (-want +got):\n%s", diff)
	}
	f.wantLedgers(lastVersion())
}

// The files must run under any tool, in any schema, inside a transaction.
func TestFilesArePlain(t *testing.T) {
	t.Parallel()
	refused := map[string]*regexp.Regexp{
		"transaction control":   regexp.MustCompile(`(?im)^\s*(COMMIT|ROLLBACK|START TRANSACTION|BEGIN\s*;|BEGIN TRANSACTION)`),
		"a qualified name":      regexp.MustCompile(`(?i)\b(public|pg_catalog)\.`),
		"a placeholder":         regexp.MustCompile(`%I|%s|@[A-Z]|\{\{`),
		"a psql meta-command":   regexp.MustCompile(`(?m)^\\`),
		"a body without a path": regexp.MustCompile(`(?i)LANGUAGE plpgsql (AS|IMMUTABLE|STABLE)`),
		"trailing white space":  regexp.MustCompile(`(?m)[ \t]+$`),
	}
	for _, file := range migrations.Files() {
		text, err := fs.ReadFile(migrations.FS(), file.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "-- ") {
			t.Errorf("%s does not begin with a comment on its subject", file.Name)
		}
		for what, pattern := range refused {
			if found := pattern.Find(text); found != nil {
				t.Errorf("%s has %s: %q", file.Name, what, found)
			}
		}
	}
}

func lastVersion() int {
	files := migrations.Files()
	return files[len(files)-1].Version
}
