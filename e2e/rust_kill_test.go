//go:build rust

package e2e_test

import (
	"fmt"
	"math"
	"testing"
	"time"
)

const (
	rustInstances = 500
	rustKills     = 20
	rustStride    = rustInstances * killSteps / (rustKills + 5)
	// goVersion is the stamp of the Go workers of the kill test. It differs from
	// Rust's, so that each event tells which kind of worker recorded it.
	goVersion = "0.1.28"
)

// Two workers of each kind serve the same instances, and each second one of either
// kind is killed with SIGKILL. The instances end as they do in [TestKill].
func TestRustKill(t *testing.T) {
	t.Parallel()
	for name, prepare := range rustSchemas() {
		t.Run(name, func(t *testing.T) {
			w := newRustWorld(t)
			prepare(t, w)
			w.exec(t, `CREATE TABLE @.claims (worker text, token text PRIMARY KEY)`)
			w.exec(t, `CREATE TABLE @.draws (number bigserial PRIMARY KEY, instance text, step bigint, nonce text, worker text)`)
			w.exec(t, `CREATE TABLE @.gate AS SELECT 0::bigint AS allowed`)

			fleet := &fleet{world: w.world}
			t.Cleanup(func() { fleet.report(t) }) // before those that kill the workers
			add := func(n int) {                  // of Go if n is even, else of Rust
				if n%2 == 1 {
					fleet.workers = append(fleet.workers, w.startRustWorker(t, fmt.Sprintf("rust-%d", n)))
					return
				}
				fleet.workers = append(fleet.workers, startKillWorker(t, w.ctx, killWorkerEnv, killConfig{
					Name: fmt.Sprintf("go-%d", n), URL: w.URL, Schema: w.Schema, Migrations: w.policy, VersionStamp: goVersion, Lock: rustLock,
				}))
			}
			for n := range 4 {
				add(n)
			}
			client := w.client(t)
			startKillInstances(t, w.world, client, rustInstances)

			second := time.NewTicker(time.Second)
			defer second.Stop()
			for n := range rustKills {
				// Between two kills the run goes on for some activities, and then waits.
				before := value[int](t, w.world, `SELECT coalesce(max(number), 0)::bigint FROM @.draws`)
				w.exec(t, `UPDATE @.gate SET allowed = $1`, before+rustStride)
				receive(t, w.ctx, "a second does not end", second.C)
				until(t, w.ctx, "no progress", func() bool {
					fleet.alive(t)
					return value[int](t, w.world, `SELECT max(number) FROM @.draws`) > before+n*17%rustStride
				})
				victim := fleet.workers[0] // they stand in the order of their starts: of Go, of Rust, of Go, ...
				must(t, victim.cmd.Process.Kill())
				<-victim.done
				fleet.workers = fleet.workers[1:]
				add(4 + n)
			}
			w.exec(t, `UPDATE @.gate SET allowed = $1`, math.MaxInt64)

			until(t, w.ctx, "not all instances end", func() bool {
				fleet.alive(t)
				return value[int](t, w.world, `SELECT count(*) FROM @.executions WHERE status <> 'Running'`) >= rustInstances
			})
			w.nothingLeft(t)
			fleet.stop(t)
			checkKilledRuns(t, w.world, rustInstances)
			w.bothWorked(t)
		})
	}
}

// bothWorked checks that each kind of worker ran activities whose results count
// and took turns, and that kills of each kind interrupted activities.
func (w *rustWorld) bothWorked(t *testing.T) {
	t.Helper()
	const few = rustInstances * killSteps / 100 // a worker lives for few seconds, and a busy machine spends them on its start
	for kind, version := range map[string]string{"go": goVersion, "rust": rustVersion} {
		results := value[int](t, w.world, `SELECT count(*) FROM @.draws WHERE worker LIKE $1 || '-%' AND nonce IN (
			SELECT event_data::jsonb ->> 'result' FROM @.history)`, kind)
		interrupted := value[int](t, w.world, `SELECT count(*) FROM @.draws WHERE worker LIKE $1 || '-%' AND nonce NOT IN (
			SELECT event_data::jsonb ->> 'result' FROM @.history WHERE event_data::jsonb ? 'result')`, kind)
		events := value[int](t, w.world, `SELECT count(*) FROM @.history WHERE event_data::jsonb ->> 'duroxide_version' = $1`, version)
		t.Logf("%s: %d results, %d activities for nothing, %d events", kind, results, interrupted, events)
		if results < few || events < few || interrupted == 0 {
			t.Errorf("%s took too little part", kind)
		}
	}
	turns := value[int](t, w.world, `SELECT count(*) FROM (SELECT FROM @.history GROUP BY instance_id
		HAVING count(DISTINCT event_data::jsonb ->> 'duroxide_version') = 2) h`)
	t.Logf("%d of %d instances have events of both", turns, rustInstances)
	if turns == 0 {
		t.Error("no instance has events of both kinds of worker")
	}
}
