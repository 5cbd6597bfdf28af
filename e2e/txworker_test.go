package e2e_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/lib/pq" // the driver postgres

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// txWorkerEnv turns the test binary into a worker whose activities write in
// transactions.
const txWorkerEnv = "E2E_TX_WORKER"

const (
	pay     = durable.Activity[string, string]("pay")
	order   = durable.Orchestration[string, string]("order")
	receipt = durable.Orchestration[string, string]("receipt")
)

// The points of the activity at which its process can be killed.
const (
	written      = "written"
	acknowledged = "acknowledged"
	committed    = "committed"
)

// payer is the code of the activity pay: it writes a payment, starts the
// instance of its receipt, and returns the payment's number, all in one
// transaction. In its first run it stops at the point that its input names.
type payer struct {
	schema string
	pool   *pgxpool.Pool
	db     *sql.DB
	client *durable.Client
}

// reach notes that an instance came to a point, and stays there for ever if that
// is where it is to be killed.
func (p *payer) reach(ctx context.Context, point, stop string) error {
	info := durable.Info(ctx)
	if info.Attempt > 1 || point != stop {
		return nil
	}
	if _, err := p.pool.Exec(ctx, `INSERT INTO `+p.schema+`.reached VALUES ($1)`, info.InstanceID); err != nil {
		return err
	}
	select {}
}

// stopping lets a transaction stop between its acknowledgement and its commit.
func stopping[T any](activity context.Context, p *payer, stop string, begin core.BeginFunc[T]) core.BeginFunc[T] {
	return func(ctx context.Context) (T, core.OpenTx, error) {
		handle, tx, err := begin(ctx)
		commit := tx.Commit
		tx.Commit = func(ctx context.Context) error {
			if err := p.reach(activity, acknowledged, stop); err != nil {
				return err
			}
			return commit(ctx)
		}
		return handle, tx, err
	}
}

// work is what is done in the transaction.
func (p *payer) work(ctx context.Context, tx core.Tx, stop string, exec func(statement string, args ...any) error) (string, error) {
	number := rand.Text()
	instance := durable.Info(ctx).InstanceID
	if err := exec(`INSERT INTO `+p.schema+`.payments VALUES ($1, $2)`, instance, number); err != nil {
		return "", err
	}
	if _, err := receipt.StartTx(ctx, p.client, tx, "receipt of "+instance, number); err != nil {
		return "", err
	}
	return number, p.reach(ctx, written, stop)
}

func (p *payer) pay(ctx context.Context, in string) (number string, err error) {
	driver, stop, _ := strings.Cut(in, " ")
	if driver == "pgx" {
		number, err = durable.InTx(ctx, stopping(ctx, p, stop, pgprovider.Begin(p.pool, pgx.TxOptions{})), func(tx pgx.Tx) (string, error) {
			return p.work(ctx, pgprovider.Tx(tx), stop, func(statement string, args ...any) error {
				_, err := tx.Exec(ctx, statement, args...)
				return err
			})
		})
	} else {
		number, err = durable.InTx(ctx, stopping(ctx, p, stop, pgprovider.BeginSQL(p.db, nil)), func(tx *sql.Tx) (string, error) {
			return p.work(ctx, pgprovider.SQLTx(tx), stop, func(statement string, args ...any) error {
				_, err := tx.ExecContext(ctx, statement, args...)
				return err
			})
		})
	}
	if err != nil {
		return "", err
	}
	return number, p.reach(ctx, committed, stop)
}

func runOrder(ctx *durable.Context, in string) (string, error) { return pay.Call(ctx, in) }

func runReceipt(_ *durable.Context, number string) (string, error) { return number, nil }

// txWorker works until its standard input ends.
func txWorker(config string) int {
	if err := serveTxWorker(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveTxWorker(config string) error {
	var c killConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("worker", c.Name)
	url, err := named(c.URL, c.Name)
	if err != nil {
		return err
	}
	poolConfig, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	poolConfig.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return err
	}
	defer pool.Close()
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := pgprovider.New(ctx, pool, &pgprovider.Options{
		Schema: c.Schema, Migrations: migrations.Verify, Logger: log,
		LongPoll: pgprovider.LongPoll{RefreshInterval: killLock / 4},
	})
	if err != nil {
		return err
	}
	defer provider.Close()
	p := &payer{schema: pgx.Identifier{c.Schema}.Sanitize(), pool: pool, db: db, client: durable.NewClient(provider, nil)}
	reg := durable.NewRegistry()
	if err := reg.Add(pay.With(p.pay), order.With(runOrder), receipt.With(runReceipt)); err != nil {
		return err
	}
	rt, err := durable.NewRuntime(provider, reg, &durable.Options{
		InstanceLock: killLock, ActivityLock: killLock, MaxActivities: 8, MaxTurns: 4, MaxAttempts: 100, Logger: log,
	})
	if err != nil {
		return err
	}
	if err := rt.Start(ctx); err != nil {
		return err
	}
	fmt.Println("working")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return rt.Shutdown(ctx)
}
