package pgprovider_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
	"github.com/duroxide/duroxide-go/notifier"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// longPoll is how long fetches of these tests would wait. A test that passes
// because of it takes too long.
const longPoll = 2 * patience

// hintsOnly leaves no poll that would find what a hint did not tell.
func hintsOnly(o *pgprovider.Options) {
	o.LongPoll = pgprovider.LongPoll{RefreshInterval: time.Hour, FloorInterval: time.Hour, DegradedInterval: time.Hour}
}

// listening waits until the provider listens and has looked ahead.
func listening(t *testing.T, p *pgprovider.Provider) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, p.Notifier().WaitListening(ctx))
	waitFor(t, "the first refresh", func() bool { return p.Notifier().Status().Refreshes > 0 })
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// result is what a fetch that waits returned, and after how long.
type result[T any] struct {
	item T
	err  error
	took time.Duration
}

// waiting starts a fetch that waits. It returns when that has probably asked.
func waiting[T any](t *testing.T, fetch func(context.Context) (T, error)) <-chan result[T] {
	t.Helper()
	ch := make(chan result[T], 1)
	go func() {
		start := time.Now()
		item, err := fetch(t.Context())
		ch <- result[T]{item, err, time.Since(start)}
	}()
	// If it has not, the test passes without having tested much.
	time.Sleep(30 * time.Millisecond)
	return ch
}

func waitOrchestration(t *testing.T, p *pgprovider.Provider) <-chan result[*core.OrchestrationItem] {
	return waiting(t, func(ctx context.Context) (*core.OrchestrationItem, error) {
		return p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: longPoll})
	})
}

func waitWork(t *testing.T, p *pgprovider.Provider) <-chan result[*core.LockedWorkItem] {
	return waiting(t, func(ctx context.Context) (*core.LockedWorkItem, error) {
		return p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: longPoll})
	})
}

// take returns what a waiting fetch found.
func take[T any](t *testing.T, what string, ch <-chan result[*T]) *T {
	t.Helper()
	select {
	case r := <-ch:
		must(t, r.err)
		if r.item == nil {
			t.Fatalf("%s: nothing after %v", what, r.took)
		}
		return r.item
	case <-time.After(patience):
		t.Fatalf("%s: still waiting", what)
	}
	return nil
}

// TestWokenByAnotherProcess: the two providers share nothing but the schema.
func TestWokenByAnotherProcess(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	listening(t, p)
	o := waitOrchestration(t, p)
	enqueue(t, other, start("i"))
	equal(t, "instance", "i", take(t, "start", o).Instance)
	w := waitWork(t, p)
	enqueueWork(t, other, activity(1))
	take(t, "activity", w)
	// A message that is hidden at first.
	o = waitOrchestration(t, p)
	must(t, other.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("later"), Delay: 300 * time.Millisecond}))
	begin := time.Now()
	equal(t, "instance", "later", take(t, "delayed start", o).Instance)
	if took := time.Since(begin); took < 250*time.Millisecond {
		t.Errorf("came after %v", took)
	}
}

// TestOneNotificationForManyInstances: identical notifications of one
// transaction are one, so whoever finds work has to wake the next.
func TestOneNotificationForManyInstances(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	listening(t, p)
	enqueue(t, other, start("parent"))
	item := mustFetch(t, other)
	var waits []<-chan result[*core.OrchestrationItem]
	var children []core.WorkItem
	for i := range 6 {
		waits = append(waits, waitOrchestration(t, p))
		children = append(children, start(string(rune('a'+i))))
	}
	must(t, other.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: item.LockToken, ExecutionID: 1, Metadata: named(), OrchestratorItems: children,
	}))
	seen := map[string]bool{}
	for _, ch := range waits {
		seen[take(t, "child", ch).Instance] = true
	}
	equal(t, "instances", 6, len(seen))
}

// TestFiltersAreWokenSeparately: the fetch that the hint is for may not be the
// one that waits longest.
func TestFiltersAreWokenSeparately(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	create(t, other, "i")
	sql(t, db, `UPDATE @.executions SET duroxide_version_major = 2, duroxide_version_minor = 0, duroxide_version_patch = 0`)
	listening(t, p)
	fetchUpTo := func(v string) <-chan result[*core.OrchestrationItem] {
		filter := core.UpTo(core.MustParseVersion(v))
		return waiting(t, func(ctx context.Context) (*core.OrchestrationItem, error) {
			return p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: longPoll, Filter: &filter})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	old := core.UpTo(core.MustParseVersion("1.0.0"))
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: longPoll, Filter: &old})
	})
	time.Sleep(30 * time.Millisecond)
	able := fetchUpTo("2.0.0")
	enqueue(t, other, core.ExternalRaisedItem{Instance: "i"})
	take(t, "pinned instance", able)
	cancel()
	wg.Wait()
}

func TestWorkersAreAllWoken(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	listening(t, p)
	mine := activity(1)
	mine.SessionID = ptr("s")
	// The owner of the session waits behind one that may not take its work.
	claim := func(ctx context.Context, timeout time.Duration) (*core.LockedWorkItem, error) {
		return p.FetchWorkItem(ctx, core.FetchWorkItemParams{
			LockTimeout: lease, PollTimeout: timeout, Session: &core.SessionFetchConfig{OwnerID: "owner", LockTimeout: lease},
		})
	}
	enqueueWork(t, other, mine)
	first, err := claim(t.Context(), 0)
	must(t, err)
	must(t, p.AckWorkItem(t.Context(), core.AckWorkItemParams{LockToken: first.LockToken}))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range 3 {
		wg.Go(func() {
			item, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: longPoll})
			if item != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("a fetch without a session: %v, %v", item, err)
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	owner := waiting(t, func(ctx context.Context) (*core.LockedWorkItem, error) { return claim(ctx, longPoll) })
	enqueueWork(t, other, mine)
	take(t, "bound activity", owner)
}

// TestWhatIsNeverNotified: abandoned rows, and messages that came while their
// instance was locked.
func TestWhatIsNeverNotified(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	listening(t, p)
	abandon := func(token string, delay time.Duration) {
		t.Helper()
		must(t, p.AbandonOrchestrationItem(t.Context(), core.AbandonParams{LockToken: token, Delay: delay}))
	}
	enqueue(t, other, start("i"))
	item := mustFetch(t, p)
	settle(t, p, 1)

	o := waitOrchestration(t, p)
	abandon(item.LockToken, 0)
	item = take(t, "abandoned instance", o)
	o = waitOrchestration(t, p)
	abandon(item.LockToken, 200*time.Millisecond)
	item = take(t, "instance abandoned with a delay", o)

	o = waitOrchestration(t, p)
	enqueue(t, other, core.ExternalRaisedItem{Instance: "i"})
	settle(t, p, 2)
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1, Metadata: named()}))
	take(t, "message that came during the turn", o)

	enqueueWork(t, other, activity(1))
	settle(t, p, 3)
	work := mustFetchWork(t, p)
	w := waitWork(t, p)
	must(t, p.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: work.LockToken}))
	work = take(t, "abandoned activity", w)
	w = waitWork(t, p)
	must(t, p.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: work.LockToken, Delay: 200 * time.Millisecond}))
	take(t, "activity abandoned with a delay", w)
}

// settle waits until the provider has heard n notifications, so that a later
// wake-up is not one of them.
func settle(t *testing.T, p *pgprovider.Provider, n uint64) {
	t.Helper()
	waitFor(t, "notifications", func() bool { return p.Notifier().Status().Notifications >= n })
}

// TestRefreshFindsWhatIsDue: leases of owners that died, and rows that were
// there before anybody listened. The first refresh, which is the only one, has
// to see them.
func TestRefreshFindsWhatIsDue(t *testing.T) {
	t.Parallel()
	const soon = 700 * time.Millisecond
	t.Run("expired locks", func(t *testing.T) {
		t.Parallel()
		db := migrationstest.New(t)
		dead := openOn(t, db.URL, db.Schema, noLongPoll)
		enqueue(t, dead, start("i"))
		enqueueWork(t, dead, activity(1))
		item, err := dead.FetchOrchestrationItem(t.Context(), core.FetchOrchestrationItemParams{LockTimeout: soon})
		must(t, err)
		work, err := dead.FetchWorkItem(t.Context(), core.FetchWorkItemParams{LockTimeout: soon})
		must(t, err)
		if item == nil || work == nil {
			t.Fatal("nothing to claim")
		}
		p := openOn(t, db.URL, db.Schema, hintsOnly)
		o, w := waitOrchestration(t, p), waitWork(t, p)
		take(t, "instance", o)
		take(t, "activity", w)
	})
	t.Run("expired session", func(t *testing.T) {
		t.Parallel()
		db := migrationstest.New(t)
		dead := openOn(t, db.URL, db.Schema, noLongPoll)
		bound := activity(1)
		bound.SessionID = ptr("s")
		enqueueWork(t, dead, bound, bound)
		work, err := dead.FetchWorkItem(t.Context(), core.FetchWorkItemParams{
			LockTimeout: lease, Session: &core.SessionFetchConfig{OwnerID: "dead", LockTimeout: soon},
		})
		must(t, err)
		if work == nil {
			t.Fatal("nothing to claim")
		}
		p := openOn(t, db.URL, db.Schema, hintsOnly)
		take(t, "bound activity", waiting(t, func(ctx context.Context) (*core.LockedWorkItem, error) {
			return p.FetchWorkItem(ctx, core.FetchWorkItemParams{
				LockTimeout: lease, PollTimeout: longPoll, Session: &core.SessionFetchConfig{OwnerID: "me", LockTimeout: lease},
			})
		}))
	})
	t.Run("hidden rows", func(t *testing.T) {
		t.Parallel()
		db := migrationstest.New(t)
		other := openOn(t, db.URL, db.Schema, noLongPoll)
		enqueueWork(t, other, activity(1))
		work := mustFetchWork(t, other)
		must(t, other.AbandonWorkItem(t.Context(), core.AbandonParams{LockToken: work.LockToken, Delay: soon}))
		must(t, other.EnqueueForOrchestrator(t.Context(), core.EnqueueForOrchestratorParams{Item: start("i"), Delay: soon}))
		p := openOn(t, db.URL, db.Schema, hintsOnly)
		o, w := waitOrchestration(t, p), waitWork(t, p)
		take(t, "instance", o)
		take(t, "activity", w)
	})
}

func TestListenerIsReplaced(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	listening(t, p)
	kill := func() {
		n := sqlValue[int](t, db, `SELECT count(*) FROM (SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
			WHERE query LIKE 'LISTEN %' AND query LIKE '%' || $1 || '%' AND pid <> pg_catalog.pg_backend_pid()) k`, db.Schema+"_worker_work")
		equal(t, "listeners", 1, n)
	}
	o := waitOrchestration(t, p)
	kill()
	waitFor(t, "a new connection", func() bool { s := p.Notifier().Status(); return s.Listening && s.Connects == 2 })
	enqueue(t, other, start("i"))
	take(t, "start after a reconnect", o)

	// What came while nothing listened is found too.
	o = waitOrchestration(t, p)
	kill()
	enqueue(t, other, start("j"))
	take(t, "start during a reconnect", o)
}

func TestPollTimeout(t *testing.T) {
	t.Parallel()
	p, _ := openDB(t)
	listening(t, p)
	for name, fetch := range map[string]func(context.Context, time.Duration) (bool, error){
		"orchestration": func(ctx context.Context, d time.Duration) (bool, error) {
			item, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: d})
			return item != nil, err
		},
		"work": func(ctx context.Context, d time.Duration) (bool, error) {
			item, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease, PollTimeout: d})
			return item != nil, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			found, err := fetch(t.Context(), 300*time.Millisecond)
			took := time.Since(begin)
			if found || err != nil || took < 300*time.Millisecond || took > patience/2 {
				t.Errorf("found %v, %v after %v", found, err, took)
			}
			begin = time.Now()
			if found, err := fetch(t.Context(), 0); found || err != nil || time.Since(begin) > patience/2 {
				t.Errorf("found %v, %v", found, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			begin = time.Now()
			if _, err := fetch(ctx, longPoll); err != context.Canceled || time.Since(begin) > patience/2 { //nolint:errorlint // untouched
				t.Errorf("cancelled: %v after %v", err, time.Since(begin))
			}
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := fetch(ctx, longPoll); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("timed out: %v", err)
			}
		})
	}
}

// TestCancelInsideTheServer ends the context while the server works.
func TestCancelInsideTheServer(t *testing.T) {
	t.Parallel()
	forBothPools(t, func(t *testing.T, db *migrationstest.DB, p *pgprovider.Provider, _ *pgxpool.Pool) {
		tx, err := db.Pool.Begin(t.Context())
		must(t, err)
		defer tx.Rollback(context.WithoutCancel(t.Context()))
		_, err = tx.Exec(t.Context(), in(db, `LOCK TABLE @.orchestrator_queue, @.worker_queue`))
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		for name, err := range map[string]error{
			"enqueue": p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: activity(1)}),
			"fetch":   second(p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease, PollTimeout: longPoll})),
		} {
			var pe *core.ProviderError
			if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &pe) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The server may notice later than we do: the item is there or not.
		must(t, tx.Rollback(t.Context()))
		fetchWork(t, p)
	})
}

func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	p := open(t, hintsOnly)
	listening(t, p)
	o, w := waitOrchestration(t, p), waitWork(t, p)
	must(t, p.Close())
	for _, err := range []error{(<-o).err, (<-w).err} {
		wantError(t, "waiting fetch", err, core.ErrClosed)
	}
}

// A message that comes while its instance's turn is being acknowledged is notified
// while the instance is locked, and too late for the function to see it.
func TestMessageDuringAcknowledgement(t *testing.T) {
	t.Parallel()
	p, db := openDB(t, hintsOnly)
	other := openOn(t, db.URL, db.Schema, noLongPoll)
	listening(t, p)
	enqueue(t, other, start("i"))
	must(t, p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{
		LockToken: mustFetch(t, p).LockToken, ExecutionID: 1, Metadata: named(), HistoryDelta: []core.Event{started("i")},
	}))
	enqueue(t, other, core.ExternalRaisedItem{Instance: "i", Name: "first"})
	item := mustFetch(t, p)
	o := waitOrchestration(t, p)
	before := p.Notifier().Hints(notifier.Orchestrator)
	late := core.ExternalRaisedItem{Instance: "i", Name: "late"}
	err := holding(t, db, "i", func() error {
		return p.AckOrchestrationItem(t.Context(), core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1})
	}, func(pgx.Tx) {
		time.Sleep(2 * time.Millisecond) // past the time that the call took
		enqueue(t, other, late)
		waitFor(t, "the notification", func() bool { return p.Notifier().Hints(notifier.Orchestrator) > before })
		time.Sleep(50 * time.Millisecond) // so that the fetch has probably looked in vain
	})
	must(t, err)
	take(t, "the message", o)
}
