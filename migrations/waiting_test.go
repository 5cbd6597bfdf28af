package migrations_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/migrations"
)

// signals is a log handler that sends each message of one level on.
type signals struct {
	level slog.Level
	sent  chan string
}

func (s signals) Enabled(_ context.Context, level slog.Level) bool { return level == s.level }
func (s signals) WithAttrs([]slog.Attr) slog.Handler               { return s }
func (s signals) WithGroup(string) slog.Handler                    { return s }

func (s signals) Handle(ctx context.Context, record slog.Record) error {
	select {
	case s.sent <- record.Message:
	default:
	}
	return nil
}

func TestWaitsForTableLocks(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 1)
	options := &migrations.Options{Schema: f.Schema, LockTimeout: 20 * time.Millisecond}

	reader := f.connect()
	f.execOn(reader, `BEGIN`)
	f.execOn(reader, `SELECT FROM {S}.instances`)
	result, err := migrations.RunPool(t.Context(), f.Pool, options)
	var partial *migrations.PartialError
	var pgErr *pgconn.PgError
	if !errors.As(err, &partial) || partial.Failed.Version != 2 || !errors.As(err, &pgErr) || pgErr.Code != "55P03" {
		t.Errorf("got error %v, want a lock time-out in version 2", err)
	}
	wantSentinel(t, err, nil, "tried 10 times for 20ms", "has AccessShareLock on instances", "end that transaction")
	if result.Version != 1 {
		t.Errorf("version %d after the failure", result.Version)
	}

	waiting := signals{slog.LevelWarn, make(chan string, 1)}
	options.Logger = slog.New(waiting)
	options.LockTimeout = 200 * time.Millisecond // ten of them outlast a busy machine
	done := make(chan error)
	go func() {
		_, err := migrations.RunPool(t.Context(), f.Pool, options)
		done <- err
	}()
	<-waiting.sent
	f.execOn(reader, `COMMIT`)
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.wantLedgers(lastVersion())
}

func TestWaitsForAnotherRun(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 10)
	holder := f.connect()
	f.execOn(holder, `SELECT pg_advisory_lock($1)`, migrations.LockKey(f.Schema))

	// A caller that gives up changes nothing.
	waiting := signals{slog.LevelInfo, make(chan string, 1)}
	options := &migrations.Options{Schema: f.Schema, Policy: migrations.ApplyShared, Logger: slog.New(waiting)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := migrations.RunPool(ctx, f.Pool, options)
		done <- err
	}()
	<-waiting.sent
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
	f.wantLedgers(10)

	// One that waits finds what the other did.
	waiting.sent = make(chan string, 1)
	options.Logger = slog.New(waiting)
	var result migrations.Result
	go func() {
		var err error
		result, err = migrations.RunPool(t.Context(), f.Pool, options)
		done <- err
	}()
	<-waiting.sent
	f.execOn(holder, `SET search_path TO {S}, pg_temp`)
	f.applyPlain(holder, migrations.Files()[10])
	f.execOn(holder, `INSERT INTO {S}._duroxide_migrations (version, name) VALUES (11, $1)`, migrations.Files()[10].Name)
	f.execOn(holder, `SELECT pg_advisory_unlock($1)`, migrations.LockKey(f.Schema))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(migrations.Result{Version: 11}, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestLostSession(t *testing.T) {
	t.Parallel()
	f := setupAt(t, 0)
	for _, key := range []int64{5051973275015885035, -1366117440781680946} {
		conn := f.connect()
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantSentinel(t, migrations.CheckLock(t.Context(), tx, key), migrations.ErrSession, "direct connection")
		f.execOn(conn, `SELECT pg_advisory_xact_lock($1)`, key)
		if err := migrations.CheckLock(t.Context(), tx, key); err != nil {
			t.Error(err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
