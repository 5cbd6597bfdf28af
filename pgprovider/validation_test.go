package pgprovider_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/validation"
)

// The conformance suite, but for the cases that need an engine: those run in
// e2e. The two runs cover both halves of the suite and both protocols.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("long polling, extended protocol", func(t *testing.T) {
		t.Parallel()
		conform(t, conformanceHarness(true, "")(t))
	})
	t.Run("no long polling, simple protocol", func(t *testing.T) {
		t.Parallel()
		conform(t, conformanceHarness(false, "simple_protocol")(t))
	})
}

// conform runs the catalogue's cases. The random histories against a model judge
// by time, which a busy machine does not keep; the other providers run them.
func conform(t *testing.T, h validation.Harness) {
	t.Helper()
	cases := slices.DeleteFunc(validation.Cases(), func(c validation.Case) bool {
		return c.Category == "race_replay" || c.Category == "model"
	})
	report, err := validation.Check(t.Context(), h, cases...)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
}

// conformed is a provider with the schema that the suite's hooks reach into.
type conformed struct {
	*pgprovider.Provider
	db *migrationstest.DB
}

func (c conformed) table(name string) string { return pgx.Identifier{c.db.Schema, name}.Sanitize() }

func conformanceHarness(longPolls bool, mode string) func(t *testing.T) validation.Harness {
	return func(t *testing.T) validation.Harness {
		return validation.Harness{
			LongPolls:      longPolls,
			ShortPollBound: 500 * time.Millisecond,
			CaseTimeout:    10 * time.Minute, // a busy machine needs a minute for the random histories
			NewProvider: func(ctx context.Context) (core.Provider, error) {
				db := migrationstest.New(t)
				url := db.URL
				if mode != "" {
					url = withParam(t, url, "default_query_exec_mode", mode)
				}
				p, err := pgprovider.NewFromURL(ctx, url, &pgprovider.Options{
					Schema: db.Schema, LongPoll: pgprovider.LongPoll{Disabled: !longPolls},
				})
				if err != nil {
					return nil, err
				}
				return conformed{p, db}, nil
			},
			Close: func(_ context.Context, p core.Provider) error {
				c := p.(conformed)
				defer c.db.Pool.Close() // its connections are not kept for the end of the test
				return c.Close()
			},
			CorruptHistory: func(ctx context.Context, p core.Provider, instance string) error {
				c := p.(conformed)
				_, err := c.db.Pool.Exec(ctx, `UPDATE `+c.table("history")+` SET event_data = '{"garbage": true}' WHERE instance_id = $1`, instance)
				return err
			},
			MaxAttemptCount: func(ctx context.Context, p core.Provider, instance string) (n uint32, err error) {
				c := p.(conformed)
				err = c.db.Pool.QueryRow(ctx, `SELECT max(attempt_count) FROM `+c.table("orchestrator_queue")+` WHERE instance_id = $1`, instance).Scan(&n)
				return n, err
			},
		}
	}
}
