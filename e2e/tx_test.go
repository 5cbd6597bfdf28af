package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// A process is killed between the write of an activity and its acknowledgement,
// between that and the commit, and after the commit. The first two leave neither
// the write nor the result nor the instance that was started, the last leaves all
// three; and when another process has finished the work, each is there once.
func TestTxKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), killPatience)
	defer cancel()
	w.ctx = ctx
	w.exec(t, `CREATE TABLE @.payments (instance text, number text)`)
	w.exec(t, `CREATE TABLE @.reached (instance text PRIMARY KEY)`)
	fleet := &fleet{world: w, role: txWorkerEnv}
	t.Cleanup(func() { fleet.report(t) })
	fleet.add(t)

	client := w.client(t)
	var runs []*durable.Run[string]
	points := []string{written, acknowledged, committed}
	for _, driver := range []string{"pgx", "lib/pq"} {
		for _, point := range points {
			in := driver + " " + point
			run, err := order.Start(ctx, client, in, in)
			must(t, err)
			runs = append(runs, run)
		}
	}
	until(t, ctx, "not all activities come to their points", func() bool {
		fleet.alive(t)
		return value[int](t, w, `SELECT count(*) FROM @.reached`) == len(runs)
	})
	victim := fleet.workers[0]
	must(t, victim.cmd.Process.Kill())
	<-victim.done
	fleet.workers = nil
	until(t, ctx, "the victim's connections stay", func() bool { return fleet.connections(t, victim, "") == 0 })

	for _, run := range runs {
		left := 0
		if run.InstanceID() == "pgx "+committed || run.InstanceID() == "lib/pq "+committed {
			left = 1
		}
		equal(t, run.InstanceID()+": payments after the kill", left, value[int](t, w, `SELECT count(*) FROM @.payments WHERE instance = $1`, run.InstanceID()))
		equal(t, run.InstanceID()+": activities after the kill", 1-left, value[int](t, w, `SELECT count(*) FROM @.worker_queue WHERE dxgo_instance_id = $1`, run.InstanceID()))
		equal(t, run.InstanceID()+": receipts after the kill", left, value[int](t, w, `SELECT (SELECT count(*) FROM @.instances WHERE instance_id = $1)
			+ (SELECT count(*) FROM @.orchestrator_queue WHERE instance_id = $1)`, "receipt of "+run.InstanceID()))
	}

	fleet.add(t)
	for _, run := range runs {
		number, err := run.Wait(ctx)
		must(t, err)
		equal(t, run.InstanceID()+": payment", number, value[string](t, w, `SELECT number FROM @.payments WHERE instance = $1`, run.InstanceID()))
		printed, err := receipt.Run(client, "receipt of "+run.InstanceID()).Wait(ctx)
		must(t, err)
		equal(t, run.InstanceID()+": receipt", number, printed)
	}
	w.nothingLeft(t)
	fleet.stop(t)
	equal(t, "instances", 2*len(runs), value[int](t, w, `SELECT count(*) FROM @.instances`))
	equal(t, "recorded results", len(runs), value[int](t, w, `SELECT count(*) FROM @.history WHERE event_type = 'ActivityCompleted'`))
}

// greeting is an orchestration without activities.
const greeting = durable.Orchestration[string, string]("greeting")

func welcome(_ *durable.Context, name string) (string, error) { return "Hello, " + name, nil }

// A workflow that is started in a user's transaction runs after the commit, beside
// the user's row, and neither is there after a rollback.
func TestTxStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(t, `CREATE TABLE @.guests (name text)`)
	client := durable.NewClient(w.provider(t), nil)
	w.run(t, nil, greeting.With(welcome))
	db, err := sql.Open("postgres", w.URL)
	must(t, err)
	defer db.Close()

	insert := w.sql(`INSERT INTO @.guests VALUES ($1)`)
	byPgx := func(id string, result error) error {
		return pgx.BeginFunc(w.ctx, w.Pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(w.ctx, insert, id); err != nil {
				return err
			}
			if _, err := greeting.StartTx(w.ctx, client, pgprovider.Tx(tx), id, id); err != nil {
				return err
			}
			return result
		})
	}
	byPq := func(id string, result error) error {
		tx, err := db.BeginTx(w.ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after the commit it fails
		if _, err := tx.ExecContext(w.ctx, insert, id); err != nil {
			return err
		}
		if _, err := greeting.StartTx(w.ctx, client, pgprovider.SQLTx(tx), id, id); err != nil {
			return err
		}
		if result != nil {
			return result
		}
		return tx.Commit()
	}
	changedMind := errors.New("changed my mind")
	for driver, start := range map[string]func(string, error) error{"pgx": byPgx, "lib/pq": byPq} {
		if err := start(driver+" undone", changedMind); !errors.Is(err, changedMind) {
			t.Fatal(err)
		}
		must(t, start(driver+" done", nil))
		out, err := greeting.Run(client, driver+" done").Wait(w.ctx)
		must(t, err)
		equal(t, "output", "Hello, "+driver+" done", out)
	}
	w.nothingLeft(t)
	equal(t, "instances", 2, value[int](t, w, `SELECT count(*) FROM @.instances WHERE instance_id LIKE '% done'`))
	equal(t, "all instances", 2, value[int](t, w, `SELECT count(*) FROM @.instances`))
	equal(t, "guests", 2, value[int](t, w, `SELECT count(*) FROM @.guests WHERE name LIKE '% done'`))
	equal(t, "all guests", 2, value[int](t, w, `SELECT count(*) FROM @.guests`))
}

// reservation is an activity that writes in a transaction, for an orchestration
// that returns its result.
const (
	reserve = durable.Activity[string, string]("reserve")
	booking = durable.Orchestration[string, string]("booking")
)

func book(ctx *durable.Context, in string) (string, error) { return reserve.Call(ctx, in) }

// reserver is the code of reserve: it takes a seat in a transaction.
type reserver struct {
	w *world
	// middle is called after the write, last between acknowledgement and commit.
	middle, last func(ctx context.Context) error
	begun        atomic.Int32
	errs         chan error // what InTx returned
}

func newReserver(t *testing.T, w *world) *reserver {
	t.Helper()
	w.exec(t, `CREATE TABLE @.seats (instance text)`)
	nothing := func(context.Context) error { return nil }
	return &reserver{w: w, middle: nothing, last: nothing, errs: make(chan error, 10)}
}

func (r *reserver) code() []durable.Registration {
	return []durable.Registration{booking.With(book), reserve.With(r.reserve)}
}

func (r *reserver) reserve(ctx context.Context, _ string) (string, error) {
	begin := func(c context.Context) (pgx.Tx, core.OpenTx, error) {
		r.begun.Add(1)
		handle, tx, err := pgprovider.Begin(r.w.Pool, pgx.TxOptions{})(c)
		commit := tx.Commit
		tx.Commit = func(c context.Context) error {
			if err := r.last(ctx); err != nil {
				return err
			}
			return commit(c)
		}
		return handle, tx, err
	}
	out, err := durable.InTx(ctx, begin, func(tx pgx.Tx) (string, error) {
		if _, err := tx.Exec(ctx, r.w.sql(`INSERT INTO @.seats VALUES ($1)`), durable.Info(ctx).InstanceID); err != nil {
			return "", err
		}
		return "reserved", r.middle(ctx)
	})
	r.errs <- err
	return out, err
}

// ask asks the database until the answer is yes.
func (r *reserver) ask(ctx context.Context, question string, args ...any) error {
	for {
		var yes bool
		if err := r.w.Pool.QueryRow(ctx, r.w.sql(question), args...).Scan(&yes); yes || err != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// The lock is renewed while the transaction works, and does not matter any more
// once it has acknowledged: nobody else runs the activity, though its lease is
// over and other workers look for it.
func TestTxOutlivesLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReserver(t, w)
	r.middle = func(ctx context.Context) error { // two leases long
		return r.ask(ctx, `SELECT locked_until > extract(epoch FROM created_at) * 1000 + $1::bigint FROM @.worker_queue`, (2 * killLock).Milliseconds())
	}
	r.last = func(ctx context.Context) error {
		return r.ask(ctx, `SELECT locked_until < extract(epoch FROM clock_timestamp()) * 1000 - 500 FROM @.worker_queue`)
	}
	o := &durable.Options{ActivityLock: killLock}
	w.run(t, o, r.code()...)
	w.run(t, o, r.code()...)
	run, err := booking.Start(w.ctx, w.client(t), "b", "")
	must(t, err)
	out, err := run.Wait(w.ctx)
	must(t, err)
	equal(t, "output", "reserved", out)
	equal(t, "transactions", 1, r.begun.Load())
	equal(t, "seats", 1, value[int](t, w, `SELECT count(*) FROM @.seats`))
	w.nothingLeft(t)
}

// A cancellation before the acknowledgement rolls the transaction back, one after
// it waits for the commit.
func TestTxCancelled(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		r := newReserver(t, w)
		client := w.client(t)
		r.middle = func(ctx context.Context) error { // the code does not look at its context
			ctx = context.WithoutCancel(ctx)
			if err := client.Cancel(ctx, "b", "no more"); err != nil {
				return err
			}
			return r.ask(ctx, `SELECT count(*) = 0 FROM @.worker_queue`)
		}
		w.run(t, nil, r.code()...)
		run, err := booking.Start(w.ctx, client, "b", "")
		must(t, err)
		if err := receive(t, w.ctx, "the activity does not end", r.errs); !errors.Is(err, durable.ErrNotWanted) {
			t.Errorf("InTx: %v", err)
		}
		if _, err := run.Wait(w.ctx); !errors.Is(err, durable.ErrCancelled) {
			t.Errorf("the orchestration: %v", err)
		}
		equal(t, "seats", 0, value[int](t, w, `SELECT count(*) FROM @.seats`))
		w.nothingLeft(t)
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		r := newReserver(t, w)
		client := w.client(t)
		r.last = func(ctx context.Context) error {
			ctx = context.WithoutCancel(ctx)
			if err := client.Cancel(ctx, "b", "no more"); err != nil {
				return err
			}
			// The turn of the cancellation wants the row of the activity.
			return r.ask(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
				WHERE NOT l.granted AND a.query LIKE '%' || $1 || '%ack_orchestration_item%')`, w.Schema)
		}
		w.run(t, nil, r.code()...)
		run, err := booking.Start(w.ctx, client, "b", "")
		must(t, err)
		must(t, receive(t, w.ctx, "the activity does not end", r.errs))
		if _, err := run.Wait(w.ctx); !errors.Is(err, durable.ErrCancelled) {
			t.Errorf("the orchestration: %v", err)
		}
		equal(t, "seats", 1, value[int](t, w, `SELECT count(*) FROM @.seats`))
		equal(t, "transactions", 1, r.begun.Load())
		w.nothingLeft(t)
	})
}

// On SQLite the file holds the user's table too.
func TestTxSQLite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path := filepath.Join(t.TempDir(), "shop.db")
	provider, err := sqliteprovider.Open(ctx, path, nil)
	must(t, err)
	t.Cleanup(func() { _ = provider.Close() })
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.ExecContext(ctx, `CREATE TABLE seats (instance TEXT)`)
	must(t, err)
	taken := errors.New("taken")
	runOn(t, provider, nil, booking.With(func(ctx *durable.Context, in string) (string, error) {
		if _, err := reserve.Call(ctx, "undone"); err == nil || err.Error() != taken.Error() {
			return "", fmt.Errorf("the first reservation: %w", err)
		}
		return reserve.Call(ctx, in)
	}), reserve.With(func(ctx context.Context, in string) (string, error) {
		return durable.InTx(ctx, sqliteprovider.Begin(db, nil), func(tx *sql.Tx) (string, error) {
			if _, err := tx.ExecContext(ctx, `INSERT INTO seats VALUES (?)`, in); err != nil {
				return "", err
			}
			if in == "undone" {
				return "", taken
			}
			return "reserved", nil
		})
	}))
	client := durable.NewClient(provider, nil)
	for _, id := range []string{"undone", "done"} {
		tx, err := db.BeginTx(ctx, nil)
		must(t, err)
		_, err = booking.StartTx(ctx, client, sqliteprovider.Tx(tx), id, "done")
		must(t, err)
		if id == "done" {
			must(t, tx.Commit())
		} else {
			must(t, tx.Rollback())
		}
	}
	out, err := booking.Run(client, "done").Wait(ctx)
	must(t, err)
	equal(t, "output", "reserved", out)
	if _, err := client.Status(ctx, "undone"); !errors.Is(err, durable.ErrInstanceNotFound) {
		t.Errorf("status of what was rolled back: %v", err)
	}
	var seats, done int
	must(t, db.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE instance = 'done') FROM seats`).Scan(&seats, &done))
	equal(t, "seats", 1, seats)
	equal(t, "seats that were kept", 1, done)
}
