package e2e_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
)

const (
	// killWorkerEnv turns the test binary into a worker process.
	killWorkerEnv = "E2E_KILL_WORKER"
	// killLock is short, so that what a dead worker held is soon free again.
	killLock = 2 * time.Second
	// killSteps is how many activities an instance runs.
	killSteps = 5
)

// killConfig is what a worker process is told.
type killConfig struct {
	Name, URL, Schema string
	Migrations        migrations.Policy
	VersionStamp      string
	Lock              time.Duration
}

const (
	drawNonce = durable.Activity[int, string]("draw-nonce")
	hashChain = durable.Orchestration[string, string]("hash-nonces")

	inSequence = "in sequence"
	atOnce     = "at once"
)

// nonceHash is the output of an instance whose activities returned the nonces.
func nonceHash(nonces []string) string {
	sum := sha256.Sum256([]byte(strings.Join(nonces, "\n")))
	return hex.EncodeToString(sum[:])
}

func hashNonces(ctx *durable.Context, how string) (string, error) {
	var nonces []string
	if how == atOnce {
		var draws []*durable.Future[string]
		for step := range killSteps {
			draws = append(draws, drawNonce.Schedule(ctx, step))
		}
		nonces, err := durable.JoinAll(ctx, draws...)
		return nonceHash(nonces), err
	}
	for step := range killSteps {
		nonce, err := drawNonce.Call(ctx, step)
		if err != nil {
			return "", err
		}
		nonces = append(nonces, nonce)
	}
	return nonceHash(nonces), nil
}

// killWorker is the worker process. It works until its standard input ends,
// which it also does when the test dies.
func killWorker(config string) int {
	if err := serveKillWorker(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveKillWorker(config string) error {
	var c killConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	url, err := named(c.URL, c.Name)
	if err != nil {
		return err
	}
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("worker", c.Name)
	diary, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer diary.Close()
	provider, err := pgprovider.NewFromURL(ctx, url, &pgprovider.Options{
		Schema: c.Schema, Migrations: c.Migrations, Logger: log,
		LongPoll: pgprovider.LongPoll{RefreshInterval: c.Lock / 4},
	})
	if err != nil {
		return err
	}
	defer provider.Close()
	w := &killedWorker{Provider: provider, name: c.Name, diary: diary, schema: pgx.Identifier{c.Schema}.Sanitize()}
	reg := durable.NewRegistry()
	if err := reg.Add(drawNonce.With(w.draw), hashChain.With(hashNonces)); err != nil {
		return err
	}
	rt, err := durable.NewRuntime(w, reg, &durable.Options{
		InstanceLock: c.Lock, ActivityLock: c.Lock, MaxActivities: 8, MaxTurns: 4,
		MaxAttempts: 100, // a slow machine lets locks expire beside those of the dead
		Logger:      log, VersionStamp: c.VersionStamp,
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

// named adds the name of a process to a database URL.
func named(raw, name string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// killedWorker is a provider that writes down each lock that it is given before
// the runtime sees it, and the activity that writes down what it returns.
type killedWorker struct {
	core.Provider
	name   string
	diary  *pgxpool.Pool
	schema string
}

// Unwrap makes optional abilities visible.
func (w *killedWorker) Unwrap() core.Provider { return w.Provider }

func (w *killedWorker) claimed(ctx context.Context, token string) error {
	_, err := w.diary.Exec(context.WithoutCancel(ctx), `INSERT INTO `+w.schema+`.claims (worker, token) VALUES ($1, $2)`, w.name, token)
	return err
}

// FetchOrchestrationItem implements [core.Provider].
func (w *killedWorker) FetchOrchestrationItem(ctx context.Context, p core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
	item, err := w.Provider.FetchOrchestrationItem(ctx, p)
	if item == nil || err != nil {
		return item, err
	}
	if err := w.claimed(ctx, item.LockToken); err != nil {
		return nil, err
	}
	return item, pause(context.WithoutCancel(ctx)) // turns are short to hit
}

// FetchWorkItem implements [core.Provider].
func (w *killedWorker) FetchWorkItem(ctx context.Context, p core.FetchWorkItemParams) (*core.LockedWorkItem, error) {
	item, err := w.Provider.FetchWorkItem(ctx, p)
	if item == nil || err != nil {
		return item, err
	}
	return item, w.claimed(ctx, item.LockToken)
}

// draw returns a random text that no other call has returned. It takes a few
// milliseconds, and longer when the run must not outrun the kills.
func (w *killedWorker) draw(ctx context.Context, step int) (string, error) {
	nonce := rand.Text()
	var number int64
	err := w.diary.QueryRow(ctx, `INSERT INTO `+w.schema+`.draws (instance, step, nonce, worker) VALUES ($1, $2, $3, $4) RETURNING number`,
		durable.Info(ctx).InstanceID, step, nonce, w.name).Scan(&number)
	if err != nil {
		return "", err
	}
	for allowed := int64(-1); allowed < number; {
		if err := pause(ctx); err != nil {
			return "", err
		}
		if err := w.diary.QueryRow(ctx, `SELECT allowed FROM `+w.schema+`.gate`).Scan(&allowed); err != nil {
			return "", err
		}
	}
	return nonce, nil
}

// pause is the work that a kill interrupts.
func pause(ctx context.Context) error {
	select {
	case <-time.After(5 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
