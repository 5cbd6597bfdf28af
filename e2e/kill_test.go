package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
)

const (
	killInstances = 300
	killWorkers   = 3
	kills         = 20
	liveKills     = 15 // of the kills, how many must hit a live lock
	killStride    = killInstances * killSteps / (kills + 5)
	killPatience  = 2 * time.Minute
)

// Worker processes are killed with SIGKILL in the middle of a run, most of them
// while they hold locks. Every instance completes, its output is the hash of the
// nonces that its recorded activities returned, every activity has exactly one
// recorded result, and no lock stays behind.
func TestKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), killPatience)
	defer cancel()
	w.ctx = ctx
	w.exec(t, `CREATE TABLE @.claims (worker text, token text PRIMARY KEY)`)
	w.exec(t, `CREATE TABLE @.draws (number bigserial PRIMARY KEY, instance text, step bigint, nonce text, worker text)`)
	w.exec(t, `CREATE TABLE @.gate AS SELECT 0::bigint AS allowed`)

	fleet := &fleet{world: w, role: killWorkerEnv}
	t.Cleanup(func() { fleet.report(t) }) // before those that kill the workers
	for range killWorkers {
		fleet.add(t)
	}
	client := w.client(t)
	startKillInstances(t, w, client, killInstances)

	live, turns := 0, 0
	for n := range kills {
		// Between two kills the run goes on for some activities, and then waits.
		before := value[int](t, w, `SELECT coalesce(max(number), 0)::bigint FROM @.draws`)
		w.exec(t, `UPDATE @.gate SET allowed = $1`, before+killStride)
		until(t, ctx, "no progress", func() bool {
			fleet.alive(t)
			return value[int](t, w, `SELECT max(number) FROM @.draws`) > before+n*17%killStride
		})
		held := fleet.kill(t, n%killWorkers)
		if held.activities+held.instances > 0 {
			live++
		}
		if held.instances > 0 {
			turns++
		}
		fleet.add(t)
	}
	w.exec(t, `UPDATE @.gate SET allowed = $1`, math.MaxInt64)
	if live < liveKills {
		t.Errorf("%d of %d kills hit a live lock, want at least %d", live, kills, liveKills)
	}

	until(t, ctx, "not all instances end", func() bool {
		fleet.alive(t)
		return value[int](t, w, `SELECT count(*) FROM @.executions WHERE status <> 'Running'`) >= killInstances
	})
	w.nothingLeft(t)
	fleet.stop(t)
	checkKilledRuns(t, w, killInstances)
	repeated := value[int](t, w, `SELECT count(*) FROM @.draws`) - killInstances*killSteps
	t.Logf("%d kills, %d with a live lock, %d with that of an instance; %d runs of activities were repeated", kills, live, turns, repeated)
}

func killInstance(i int) string { return fmt.Sprintf("instance-%03d", i) }

func startKillInstances(t *testing.T, w *world, client *durable.Client, instances int) {
	t.Helper()
	for i := range instances {
		how := inSequence
		if i%2 == 1 {
			how = atOnce
		}
		_, err := hashChain.Start(w.ctx, client, killInstance(i), how)
		must(t, err)
	}
}

func checkKilledRuns(t *testing.T, w *world, instances int) {
	t.Helper()
	equal(t, "instances", instances, value[int](t, w, `SELECT count(*) FROM @.instances`))
	equal(t, "executions", instances, value[int](t, w, `SELECT count(*) FROM @.executions`))
	for _, table := range []string{"worker_queue", "orchestrator_queue", "instance_locks", "sessions"} {
		equal(t, "rows in "+table, 0, value[int](t, w, `SELECT count(*) FROM @.`+table))
	}
	runs := map[string]*killedRun{}
	var instance, text, status, output string
	rows, err := w.Pool.Query(w.ctx, w.sql(`SELECT instance_id, status, coalesce(output, '') FROM @.executions`))
	must(t, err)
	_, err = pgx.ForEachRow(rows, []any{&instance, &status, &output}, func() error {
		runs[instance] = &killedRun{status: status, output: output, drawn: map[string][]string{}}
		return nil
	})
	must(t, err)
	rows, err = w.Pool.Query(w.ctx, w.sql(`SELECT instance_id, event_data FROM @.history ORDER BY instance_id, execution_id, event_id`))
	must(t, err)
	_, err = pgx.ForEachRow(rows, []any{&instance, &text}, func() error {
		ev, err := core.DecodeEvent([]byte(text))
		if err != nil {
			return err
		}
		if runs[instance] == nil {
			return fmt.Errorf("history of the unknown instance %s", instance)
		}
		runs[instance].events = append(runs[instance].events, ev)
		return nil
	})
	must(t, err)
	var step string
	rows, err = w.Pool.Query(w.ctx, w.sql(`SELECT instance, step::text, nonce FROM @.draws`))
	must(t, err)
	_, err = pgx.ForEachRow(rows, []any{&instance, &step, &text}, func() error {
		drawn := runs[instance].drawn
		drawn[step] = append(drawn[step], text)
		return nil
	})
	must(t, err)
	for i := range instances {
		instance := killInstance(i)
		r := runs[instance]
		if r == nil {
			t.Errorf("%s is not there", instance)
		} else if err := r.check(); err != nil {
			t.Errorf("%s: %v", instance, err)
		}
	}
}

// fleet is the worker processes of the kill test.
type fleet struct {
	*world
	role    string // the variable that makes a process a worker
	workers []*workerProcess
	started int
}

type workerProcess struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   *bytes.Buffer // to be read after done
	done  chan struct{}
	err   error // set before done
}

// add starts a worker and waits until it works.
func (f *fleet) add(t *testing.T) {
	t.Helper()
	f.started++
	name := fmt.Sprintf("%s-%d", f.Schema, f.started)
	f.workers = append(f.workers, startKillWorker(t, f.ctx, f.role, killConfig{
		Name: name, URL: f.URL, Schema: f.Schema, Migrations: migrations.Verify, Lock: killLock,
	}))
}

// startKillWorker starts this program as a worker, which the variable named role
// makes it, and waits until it works.
func startKillWorker(t *testing.T, ctx context.Context, role string, c killConfig) *workerProcess {
	t.Helper()
	config, err := json.Marshal(c)
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), role+"="+string(config))
	return startWorker(t, ctx, c.Name, cmd)
}

// startWorker starts a command and waits until it says that it works.
func startWorker(t *testing.T, ctx context.Context, name string, cmd *exec.Cmd) *workerProcess {
	t.Helper()
	p := &workerProcess{name: name, cmd: cmd, log: &bytes.Buffer{}, done: make(chan struct{})}
	p.cmd.Stderr = p.log
	var err error
	p.stdin, err = p.cmd.StdinPipe()
	must(t, err)
	stdout, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	working := make(chan string, 1)
	go func() { // ends with the process
		defer close(p.done)
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		working <- line
		p.err = p.cmd.Wait()
	}()
	if line := receive(t, ctx, "worker does not start", working); line != "working\n" {
		<-p.done
		t.Fatalf("worker says %q: %v\n%s", line, p.err, p.log)
	}
	return p
}

// alive fails the test when a worker ended by itself.
func (f *fleet) alive(t *testing.T) {
	t.Helper()
	for _, p := range f.workers {
		select {
		case <-p.done:
			t.Fatalf("worker %s ended: %v\n%s", p.name, p.err, p.log)
		default:
		}
	}
}

// held counts the live locks of a worker.
type held struct{ activities, instances int }

func (f *fleet) held(t *testing.T, p *workerProcess) held {
	t.Helper()
	rows, err := f.Pool.Query(f.ctx, f.sql(`
SELECT (SELECT count(*) FROM @.claims c JOIN @.worker_queue q ON q.lock_token = c.token WHERE c.worker = $1 AND q.locked_until > t.now),
       (SELECT count(*) FROM @.claims c JOIN @.instance_locks l ON l.lock_token = c.token WHERE c.worker = $1 AND l.locked_until > t.now)
  FROM (SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now) t`), p.name)
	must(t, err)
	h, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (h held, err error) {
		return h, row.Scan(&h.activities, &h.instances)
	})
	must(t, err)
	return h
}

// kill freezes a worker when it is seen with a live lock, of an instance or of an
// activity, and kills it if it then still has one. It returns the locks that were
// live when it was dead and the server had ended what it had sent.
func (f *fleet) kill(t *testing.T, victim int) held {
	t.Helper()
	p := f.workers[victim]
	until(t, f.ctx, "the victim claims nothing", func() bool {
		f.alive(t)
		if h := f.held(t, p); h.activities+h.instances == 0 {
			return false
		}
		must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
		until(t, f.ctx, "the victim's queries do not end", func() bool {
			return f.connections(t, p, "active") == 0
		})
		if h := f.held(t, p); h.activities+h.instances > 0 {
			return true
		}
		must(t, p.cmd.Process.Signal(syscall.SIGCONT))
		return false
	})
	must(t, p.cmd.Process.Kill())
	<-p.done
	until(t, f.ctx, "the victim's connections stay", func() bool {
		return f.connections(t, p, "") == 0
	})
	f.workers = append(f.workers[:victim], f.workers[victim+1:]...)
	return f.held(t, p)
}

// connections counts the connections of a worker in a state, or in any.
func (f *fleet) connections(t *testing.T, p *workerProcess, state string) int {
	t.Helper()
	return value[int](t, f.world, `SELECT count(*) FROM pg_catalog.pg_stat_activity
		WHERE application_name = $1 AND ($2 = '' OR state = $2)`, p.name, state)
}

// ended waits for the end of a worker whose standard input is closed.
func (p *workerProcess) ended(t *testing.T) {
	t.Helper()
	<-p.done
	if p.err != nil {
		t.Errorf("worker %s: %v\n%s", p.name, p.err, p.log)
	}
}

// report says of a failed test how far it came and what the workers saw.
func (f *fleet) report(t *testing.T) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	for _, query := range []string{
		`SELECT 'instance locks', count(*), count(*) FILTER (WHERE locked_until > t.now) FROM @.instance_locks, t`,
		`SELECT 'activities, locked', count(*), count(*) FILTER (WHERE locked_until > t.now) FROM @.worker_queue, t`,
		`SELECT 'messages, locked', count(*), count(lock_token) FROM @.orchestrator_queue`,
		`SELECT 'executions, running', count(*), count(*) FILTER (WHERE status = 'Running') FROM @.executions`,
		`SELECT 'activities, results', count(*) FILTER (WHERE event_type = 'ActivityScheduled'),
			count(*) FILTER (WHERE event_type = 'ActivityCompleted') FROM @.history`,
	} {
		var what string
		var n, m int
		query = `WITH t AS (SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now) ` + f.sql(query)
		if err := f.Pool.QueryRow(ctx, query).Scan(&what, &n, &m); err != nil {
			t.Log(err)
		}
		t.Log(what, n, m)
	}
	for _, p := range f.workers {
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Logf("worker %s: %v\n%s", p.name, p.err, p.log)
	}
}

// stop ends the workers in good order.
func (f *fleet) stop(t *testing.T) {
	t.Helper()
	for _, p := range f.workers {
		must(t, p.stdin.Close())
	}
	for _, p := range f.workers {
		p.ended(t)
	}
	f.workers = nil
}
