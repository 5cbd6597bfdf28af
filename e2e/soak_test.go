package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/pgprovider"
)

const (
	// soakMinutesEnv is how long the soak lasts, in minutes, which may be a fraction.
	soakMinutesEnv = "SOAK_MINUTES"
	soakDefault    = 10 * time.Second

	soakStatementTimeout = 5 * time.Second
	// soakGrace is what the way of a call may take beside its statement, the wait
	// for a connection and a busy machine included.
	soakGrace = time.Second
	soakConns = 8 // of each node
)

// soakOptions are those of one run.
type soakOptions struct {
	duration          time.Duration
	skews             []time.Duration // one node for each
	fetchers, workers int
	instances         int           // that go on at a time
	pace              time.Duration // longest pause between two calls of one actor
	until             string        // a rule whose violation ends it; none if empty
	limit             time.Duration // that no call may exceed, but for waiting for work
	drain             time.Duration // how long the work that was begun may take when nothing is added
	// wrap puts something between the actors and a provider; nil for nothing.
	wrap func(*world, core.Provider) core.Provider
	// tell replaces the skew that the ledger is told; nil for the true one.
	tell func(time.Duration) time.Duration
}

// soakNode is a process with a clock of its own.
type soakNode struct {
	core.Provider
	name  string
	skew  time.Duration
	clock core.Clock
}

// soakRun is one run of the soak.
type soakRun struct {
	*world
	soakOptions
	ledger *soakLedger
	report *soakReport
	nodes  []*soakNode
	// running ends with the run.
	running context.Context
	// stop is closed when the clients and the operators leave, and all work is
	// done at once.
	stop   chan struct{}
	finish context.CancelFunc
	actors sync.WaitGroup
	// nobodies are the executions without an instance that were left at the end.
	nobodies int
}

// TestSoak has eight fetchers and eight workers on four nodes whose clocks differ,
// while clients start, message and cancel instances and operators delete and prune
// them. Some claims are renewed, given back, or held until they run out. No rule of
// the ledger is broken, and no deadlock, which the server looks for after ten
// milliseconds, comes through. It runs alone among the tests of this package,
// which could not bear it beside them.
func TestSoak(t *testing.T) {
	o := soakOptions{
		duration: soakDefault,
		skews:    []time.Duration{0, 300 * time.Millisecond, -300 * time.Millisecond, 100 * time.Millisecond},
		fetchers: 8, workers: 8, instances: 40, pace: 20 * time.Millisecond,
		limit: soakStatementTimeout + soakGrace, drain: time.Minute,
	}
	if minutes := os.Getenv(soakMinutesEnv); minutes != "" {
		n, err := strconv.ParseFloat(minutes, 64)
		if err != nil || n <= 0 {
			t.Fatalf("%s is %q: want minutes above zero", soakMinutesEnv, minutes)
		}
		o.duration = time.Duration(n * float64(time.Minute))
	}
	s := newSoak(t, o)
	s.soak(t)
	for _, text := range s.ledger.texts {
		t.Error(text)
	}
}

func newSoak(t *testing.T, o soakOptions) *soakRun {
	t.Helper()
	w := newWorld(t)
	s := &soakRun{world: w, soakOptions: o, stop: make(chan struct{})}
	s.report = &soakReport{calls: map[string]*soakCalls{}, retries: map[string]int{}}
	w.ctx = t.Context()
	s.running, s.finish = context.WithCancel(t.Context())
	t.Cleanup(s.finish)

	// The server's clock is at least this far ahead, and fetches that are judged by
	// it hardly further.
	server := time.Until(value[time.Time](t, w, `SELECT pg_catalog.clock_timestamp()`))
	maxSkew := max(server, 0) + 10*time.Millisecond
	url := withParam(t, w.URL, "deadlock_timeout", "10ms")
	url = withParam(t, url, "statement_timeout", fmt.Sprint(soakStatementTimeout.Milliseconds()))
	url = withParam(t, url, "pool_max_conns", fmt.Sprint(soakConns))
	for i, skew := range o.skews {
		n := &soakNode{name: fmt.Sprint("node-", i), skew: skew, clock: core.OffsetClock(core.SystemClock(), skew)}
		p, err := pgprovider.NewFromURL(t.Context(), url, &pgprovider.Options{
			Schema: w.Schema, Clock: n.clock, Logger: slog.New(soakRetries{slog.DiscardHandler, s.report}),
			LongPoll: pgprovider.LongPoll{RefreshInterval: 200 * time.Millisecond, FloorInterval: 500 * time.Millisecond},
		})
		must(t, err)
		t.Cleanup(func() { _ = p.Close() })
		n.Provider = p
		if o.wrap != nil {
			n.Provider = o.wrap(w, p)
		}
		if o.tell != nil {
			n.skew = o.tell(skew)
		}
		maxSkew = max(maxSkew, n.skew)
		s.nodes = append(s.nodes, n)
	}
	s.ledger = newSoakLedger(maxSkew, server, o.until)
	return s
}

func (*soakRun) admin(n *soakNode) core.Admin {
	admin, _ := core.Ability[core.Admin](n.Provider)
	return admin
}

// stopping reports whether new things are not to be begun.
func (s *soakRun) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return s.running.Err() != nil
	}
}

// soak runs everything, waits until all work is done, checks what is left in the
// database, and reports.
func (s *soakRun) soak(t *testing.T) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	deadlocks := value[int64](t, s.world, soakDeadlocks)
	actors := 0
	act := func(node int, f func(*soakActor)) {
		a := &soakActor{soakRun: s, node: s.nodes[node%len(s.nodes)], rng: rand.New(rand.NewPCG(seed, uint64(actors)))}
		actors++
		s.actors.Go(func() { f(a) })
	}
	for i := range s.fetchers {
		act(i, (*soakActor).fetchTurns)
	}
	for i := range s.workers {
		act(i, func(a *soakActor) { a.fetchWork(i%2 == 0 || i/len(s.nodes)%2 == 0) })
	}
	for i := range s.nodes {
		act(i, (*soakActor).keepSessions)
		act(i, (*soakActor).raise)
	}
	for i := range 2 {
		act(i, (*soakActor).start)
		act(i+1, (*soakActor).delete)
		act(i+2, (*soakActor).prune)
	}
	act(0, (*soakActor).read)
	act(0, (*soakActor).watch)

	end := time.NewTimer(s.duration)
	defer end.Stop()
	select {
	case <-end.C:
	case <-s.ledger.enough:
	}
	close(s.stop)
	s.waitUntilDone(t)
	s.finish()
	s.actors.Wait()
	select {
	case <-s.ledger.enough: // what is left is nobody's fault
	default:
		s.checkEnd(t)
	}
	deadlocks = value[int64](t, s.world, soakDeadlocks) - deadlocks
	t.Logf("seed %d, %d actors, skews %v, %v\n%s%d attempt counts checked exactly, %d within bounds\n"+
		"deadlocks of the database, other tests included: %d\nexecutions of nobody: %d\nviolations: %s", seed, actors, s.skews, s.duration, s.report,
		s.ledger.exact, s.ledger.vague, deadlocks, s.nobodies, counts(s.ledger.broken))
}

const soakDeadlocks = `SELECT deadlocks FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()`

// call makes one call and judges what is the same for all: how long it took, and
// its error unless the caller has to expect it. A fetch may wait for work besides.
func (s *soakRun) call(op string, wait time.Duration, f func(context.Context) error, refusals ...error) (began, returned time.Time, err error) {
	began = time.Now()
	// Its own end, so that a call that is under way when the run ends is finished.
	err = f(context.WithoutCancel(s.running))
	returned = time.Now()
	took := returned.Sub(began)
	refused := isRefusal(err, append(refusals, core.ErrLockLost))
	s.report.call(op, took, refused, err != nil && !refused)
	if err != nil && !refused {
		rule := soakError
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "40P01" {
			rule = soakDeadlock
		}
		s.ledger.violation(rule, "%s: %v", op, err)
	}
	if took > wait+s.limit {
		s.ledger.violation(soakTooLong, "%s took %v", op, took)
	}
	return began, returned, err
}
