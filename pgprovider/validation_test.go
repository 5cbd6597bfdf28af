package pgprovider_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/validation"
)

// A way is one of the eight ways to run a provider.
type way struct {
	simple bool // protocol, else the extended one
	short  bool // polling, else long
	plain  bool // schema as the family shares it, else with our improvements
}

func (w way) String() string {
	s := "extended protocol"
	if w.simple {
		s = "simple protocol"
	}
	if w.short {
		s += ", short polling"
	} else {
		s += ", long polling"
	}
	if w.plain {
		return s + ", plain schema"
	}
	return s + ", improved schema"
}

// allWays, with DUROXIDE_CONFORMANCE=all, has all eight run. Else those four run
// that bring together each protocol with each polling and each schema, and each
// polling with each schema.
const allWays = "DUROXIDE_CONFORMANCE"

func (w way) often() bool { return (w.simple != w.short) == w.plain }

// raced holds the cases that can fail on the plain schema, and the defect of the
// shared functions that they show. All are races, so that they can pass, too;
// the tests of the migrations for defect 3 show the same without luck.
var raced = map[string]string{
	"TestConcurrentTakeover":  "defect 3: an acknowledgement can commit after a takeover",
	"TestConcurrentDeletion":  "defect 3: an acknowledgement can commit after a deletion",
	"TestContextCancelledAck": "defect 3: an acknowledgement waits for an earlier one of the same turn, and then repeats its events",
}

func TestConformance(t *testing.T) {
	t.Parallel()
	improved, plain := migrationstest.NewSchemas(t, 0), migrationstest.NewSchemas(t, migrations.SharedVersion)
	var mu sync.Mutex
	passed := map[string]bool{}
	polling := map[bool]bool{}
	t.Cleanup(func() {
		if len(polling) == 2 && len(passed) != 233 {
			t.Errorf("%d of the catalogue's cases passed with long or short polling, want 233", len(passed))
		}
	})
	for i := range 8 {
		w := way{simple: i&1 > 0, short: i&2 > 0, plain: i&4 > 0}
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			if !w.often() && os.Getenv(allWays) != "all" {
				t.Skipf("runs with %s=all", allWays)
			}
			schemas := improved
			if w.plain {
				schemas = plain
			}
			names := w.conform(t, schemas)
			if len(names) != 231 {
				t.Errorf("%d of the catalogue's cases passed, want 231", len(names))
			}
			mu.Lock()
			defer mu.Unlock()
			polling[w.short] = true
			for _, name := range names {
				passed[name] = true
			}
		})
	}
}

// conform runs the cases, and returns those of the catalogue that passed. Those
// that need an engine run in e2e, in the same ways, and count here.
func (w way) conform(t *testing.T, schemas *migrationstest.Schemas) (passed []string) {
	t.Helper()
	var cases []validation.Case
	for _, c := range append(validation.Cases(), validation.Extra()...) {
		if c.Category == "race_replay" {
			passed = append(passed, c.Name)
		} else {
			cases = append(cases, c)
		}
	}
	begin := time.Now()
	report, err := validation.Check(t.Context(), w.harness(t, schemas), cases...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, in %v", report, time.Since(begin).Round(time.Second))
	for name := range raced {
		if !slices.ContainsFunc(cases, func(c validation.Case) bool { return c.Name == name }) {
			t.Errorf("the suite has no %s that could show a defect", name)
		}
	}
	for _, r := range report.Results {
		switch defect := raced[r.Case.Name]; {
		case r.Outcome == validation.Failed && w.plain && defect != "":
			t.Logf("%s shows %s", r.Case.Name, defect)
		case r.Outcome == validation.Failed:
			t.Error(r)
		case r.Outcome == validation.Passed && !r.Case.Extra:
			passed = append(passed, r.Case.Name)
		}
	}
	return passed
}

// conformed is a provider with the schema that the suite's hooks reach into.
type conformed struct {
	*pgprovider.Provider
	db       *migrationstest.DB
	borrowed bool // for this provider, else for another one
}

func (c conformed) table(name string) string { return pgx.Identifier{c.db.Schema, name}.Sanitize() }

func (w way) harness(t *testing.T, schemas *migrationstest.Schemas) validation.Harness {
	return validation.Harness{
		RequireAll:     true,
		LongPolls:      !w.short,
		ShortPollBound: 500 * time.Millisecond,
		NewProvider: func(ctx context.Context) (core.Provider, error) {
			db, err := schemas.Borrow(ctx)
			if err != nil {
				return nil, err
			}
			return w.open(ctx, t, conformed{db: db, borrowed: true}, core.SystemClock())
		},
		WithClockOffset: func(ctx context.Context, p core.Provider, d time.Duration) (core.Provider, error) {
			return w.open(ctx, t, conformed{db: p.(conformed).db}, core.OffsetClock(core.SystemClock(), d))
		},
		BeginTx: func(ctx context.Context, p core.Provider) (core.OpenTx, error) {
			_, tx, err := pgprovider.Begin(p.(conformed).db.Pool, pgx.TxOptions{})(ctx)
			return tx, err
		},
		Close: func(ctx context.Context, p core.Provider) error {
			c := p.(conformed)
			err := c.Close()
			if err == nil && c.borrowed {
				err = schemas.Return(ctx, c.db)
			}
			return err
		},
		CorruptHistory: func(ctx context.Context, p core.Provider, instance string) error {
			c := p.(conformed)
			_, err := c.db.Pool.Exec(ctx, `UPDATE `+c.table("history")+` SET event_data = '{"garbage": true}' WHERE instance_id = $1`, instance)
			return err
		},
		CorruptQueues: func(ctx context.Context, p core.Provider, instance string) error {
			c := p.(conformed)
			for table, of := range map[string]string{
				"orchestrator_queue": `instance_id`,
				"worker_queue":       `work_item::jsonb -> 'ActivityExecute' ->> 'instance'`,
			} {
				_, err := c.db.Pool.Exec(ctx, `UPDATE `+c.table(table)+` SET work_item = '{"Garbage": {}}' WHERE `+of+` = $1`, instance)
				if err != nil {
					return err
				}
			}
			return nil
		},
		MaxAttemptCount: func(ctx context.Context, p core.Provider, instance string) (n uint32, err error) {
			c := p.(conformed)
			err = c.db.Pool.QueryRow(ctx, `SELECT max(attempt_count) FROM `+c.table("orchestrator_queue")+` WHERE instance_id = $1`, instance).Scan(&n)
			return n, err
		},
	}
}

// open makes the provider of c, which has only its schema.
func (w way) open(ctx context.Context, t *testing.T, c conformed, clock core.Clock) (core.Provider, error) {
	// Sixteen cases run at once; with pools of ten they would need more connections
	// than many servers have.
	url := withParam(t, c.db.URL, "pool_max_conns", "4")
	if w.simple {
		url = withParam(t, url, "default_query_exec_mode", "simple_protocol")
	}
	options := &pgprovider.Options{Schema: c.db.Schema, LongPoll: pgprovider.LongPoll{Disabled: w.short}, Clock: clock}
	if w.plain {
		options.Migrations = migrations.ApplyShared
	}
	var err error
	c.Provider, err = pgprovider.NewFromURL(ctx, url, options)
	return c, err
}
