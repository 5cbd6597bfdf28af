package pgprovider_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// giveBacks are the two queues as these tests use them: a fetch returns the token
// and the attempt, or no token.
var giveBacks = map[string]struct {
	enqueue func(t *testing.T, p *pgprovider.Provider)
	fetch   func(ctx context.Context, p *pgprovider.Provider, wait time.Duration) (token string, attempt uint32, err error)
	abandon func(ctx context.Context, p *pgprovider.Provider, params core.AbandonParams) error
}{
	"an instance": {
		enqueue: func(t *testing.T, p *pgprovider.Provider) { enqueue(t, p, start("i")) },
		fetch: func(ctx context.Context, p *pgprovider.Provider, wait time.Duration) (string, uint32, error) {
			item, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: wait})
			if item == nil {
				return "", 0, err
			}
			return item.LockToken, item.AttemptCount, nil
		},
		abandon: func(ctx context.Context, p *pgprovider.Provider, params core.AbandonParams) error {
			return p.AbandonOrchestrationItem(ctx, params)
		},
	},
	"an activity": {
		enqueue: func(t *testing.T, p *pgprovider.Provider) { enqueueWork(t, p, activity(1)) },
		fetch: func(ctx context.Context, p *pgprovider.Provider, wait time.Duration) (string, uint32, error) {
			item, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: wait})
			if item == nil {
				return "", 0, err
			}
			return item.LockToken, item.AttemptCount, nil
		},
		abandon: func(ctx context.Context, p *pgprovider.Provider, params core.AbandonParams) error {
			return p.AbandonWorkItem(ctx, params)
		},
	},
}

// What a process gives back and stays away from is for others as soon as it is due,
// however often it looks itself, and for it too in the end.
func TestStaysAway(t *testing.T) {
	t.Parallel()
	for name, q := range giveBacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db := openDB(t, hintsOnly)
			other := openOn(t, db.URL, db.Schema, noLongPoll)
			listening(t, p)
			// take is a fetch that finds something before it would look again by itself.
			take := func(p *pgprovider.Provider, attempt uint32) string {
				t.Helper()
				token, n, err := q.fetch(t.Context(), p, longPoll)
				must(t, err)
				if token == "" {
					t.Fatal("nothing found")
				}
				equal(t, "attempt", attempt, n)
				return token
			}
			q.enqueue(t, p)
			must(t, q.abandon(t.Context(), p, core.AbandonParams{LockToken: take(p, 1), Delay: time.Millisecond, StayAway: time.Hour}))
			token, _, err := q.fetch(t.Context(), p, 100*time.Millisecond)
			if must(t, err); token != "" {
				t.Fatal("found what it stays away from")
			}
			must(t, q.abandon(t.Context(), other, core.AbandonParams{LockToken: take(other, 2)}))

			// Given back to nobody but itself.
			must(t, q.abandon(t.Context(), other, core.AbandonParams{LockToken: take(other, 3), StayAway: time.Hour}))
			third := openOn(t, db.URL, db.Schema, hintsOnly)
			listening(t, third)
			begin := time.Now()
			must(t, q.abandon(t.Context(), third, core.AbandonParams{
				LockToken: take(third, 4), Delay: 100 * time.Millisecond, StayAway: 400 * time.Millisecond, IgnoreAttempt: true,
			}))
			take(third, 4)
			if took := time.Since(begin); took < 450*time.Millisecond || took > patience {
				t.Errorf("came back after %v", took)
			}
		})
	}
}

// A token that is lost is lost, and nothing is stayed away from. Without prepared
// statements all is as with them.
func TestStaysAwayWithoutLock(t *testing.T) {
	t.Parallel()
	for name, q := range giveBacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := openPool(t, migrationstest.New(t), mode(pgx.QueryExecModeSimpleProtocol))
			q.enqueue(t, p)
			token, _, err := q.fetch(t.Context(), p, 0)
			must(t, err)
			if err := q.abandon(t.Context(), p, core.AbandonParams{LockToken: "lock_lost", StayAway: time.Hour}); !errors.Is(err, core.ErrLockLost) {
				t.Errorf("got %v", err)
			}
			must(t, q.abandon(t.Context(), p, core.AbandonParams{LockToken: token, StayAway: -time.Hour}))
			token, _, err = q.fetch(t.Context(), p, 0)
			if must(t, err); token == "" {
				t.Fatal("stayed away for no reason")
			}
			must(t, q.abandon(t.Context(), p, core.AbandonParams{LockToken: token, StayAway: time.Hour}))
			if token, _, err = q.fetch(t.Context(), p, 0); token != "" || err != nil {
				t.Errorf("did not stay away: %q, %v", token, err)
			}
		})
	}
}

// On a schema that cannot leave anything out, work is taken by whoever comes first.
func TestStaysAwayOnPlainSchema(t *testing.T) {
	t.Parallel()
	for name, q := range giveBacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := openShared(t)
			q.enqueue(t, p)
			token, _, err := q.fetch(t.Context(), p, 0)
			must(t, err)
			must(t, q.abandon(t.Context(), p, core.AbandonParams{LockToken: token, StayAway: time.Hour}))
			if token, _, err := q.fetch(t.Context(), p, 0); token == "" || err != nil {
				t.Errorf("got %q, %v", token, err)
			}
		})
	}
}
