package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// What the benchmarks vary; 0 is the default of package durable.
var (
	benchTurns      = flag.Int("bench.turns", 0, "durable.Options.MaxTurns")
	benchActivities = flag.Int("bench.activities", 0, "durable.Options.MaxActivities")
	benchFetchers   = flag.Int("bench.fetchers", 0, "durable.Options.Fetchers")
	benchPool       = flag.Int("bench.pool", 10, "connections of the runtime's pool")
	benchWarm       = flag.Int("bench.warm", 0, "durable.Options.WarmInstances; -1 keeps nothing suspended")
	benchCold       = flag.Bool("bench.cold", false, "also run the very long instance without suspended code, which takes long")
)

const (
	noop      = durable.Activity[int, int]("noop")
	sequence  = durable.Orchestration[int, int]("sequence")
	fan       = durable.Orchestration[int, int]("fan")
	benchTime = time.Hour
)

// BenchmarkLatency runs instances with one activity, one after the other: start
// to result as the client sees it, and to the last line of the orchestration.
func BenchmarkLatency(b *testing.B) {
	w := newBench(b, *benchWarm)
	var seen, ran []time.Duration
	for b.Loop() {
		id := w.id()
		began := time.Now()
		run, err := sequence.Start(w.ctx, w.client, id, 1)
		must(b, err)
		_, err = run.Wait(w.ctx)
		must(b, err)
		seen = append(seen, time.Since(began))
		ended, _ := w.ended.Load(id)
		ran = append(ran, ended.(time.Time).Sub(began))
	}
	b.ReportMetric(median(seen), "p50-ms")
	b.ReportMetric(median(ran), "p50-ran-ms")
	w.report(b, b.N)
}

// BenchmarkManyInstances runs 500 instances of 5 activities one after the other.
func BenchmarkManyInstances(b *testing.B) { benchmarkBulk(b, sequence, 500, 5) }

// BenchmarkShortInstances runs 2,000 instances of 1 activity.
func BenchmarkShortInstances(b *testing.B) { benchmarkBulk(b, sequence, 2000, 1) }

// BenchmarkFanOut runs 20 instances of 100 activities side by side.
func BenchmarkFanOut(b *testing.B) { benchmarkBulk(b, fan, 20, 100) }

// BenchmarkLongInstance runs 1 instance of 1,000 activities one after the other,
// on code that stays suspended between them and on code that is replayed.
func BenchmarkLongInstance(b *testing.B) {
	b.Run("warm", func(b *testing.B) { benchmarkBulkWarm(b, sequence, 1, 1000, 0) })
	b.Run("cold", func(b *testing.B) { benchmarkBulkWarm(b, sequence, 1, 1000, -1) })
}

// BenchmarkVeryLongInstance runs 1 instance of 10,000 activities one after the
// other.
func BenchmarkVeryLongInstance(b *testing.B) {
	b.Run("warm", func(b *testing.B) { benchmarkBulkWarm(b, sequence, 1, 10_000, 0) })
	if *benchCold {
		b.Run("cold", func(b *testing.B) { benchmarkBulkWarm(b, sequence, 1, 10_000, -1) })
	}
}

func benchmarkBulk(b *testing.B, o durable.Orchestration[int, int], instances, activities int) {
	b.Helper()
	benchmarkBulkWarm(b, o, instances, activities, *benchWarm)
}

func benchmarkBulkWarm(b *testing.B, o durable.Orchestration[int, int], instances, activities, warm int) {
	b.Helper()
	w := newBench(b, warm)
	done := 0
	for b.Loop() {
		ids := make(chan string)
		var starters sync.WaitGroup
		for range 16 {
			starters.Go(func() {
				for id := range ids {
					if _, err := o.Start(w.ctx, w.client, id, activities); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for range instances {
			ids <- w.id()
		}
		close(ids)
		starters.Wait()
		done += instances
		until(b, w.ctx, "instances do not complete", func() bool {
			return value[int](b, w.world, `SELECT count(*) FROM @.executions WHERE status = 'Completed'`) >= done
		})
	}
	w.report(b, done*activities)
}

// bench is a runtime and a client whose queries are counted.
type bench struct {
	*world
	client  *durable.Client
	queries *queryCounter
	read    atomic.Int64 // bytes from the database
	runtime *durable.Runtime
	pool    *pgxpool.Pool
	ids     atomic.Int64
	ended   sync.Map // instance to time.Time
}

func newBench(b *testing.B, warm int) *bench {
	b.Helper()
	w := newWorld(b)
	ctx, cancel := context.WithTimeout(b.Context(), benchTime)
	b.Cleanup(cancel)
	w.ctx = ctx
	k := &bench{world: w, queries: &queryCounter{counts: map[string]*queryCount{}}}
	provider, pool := k.provider(b, k.queries, *benchPool)
	k.pool = pool
	starter, _ := k.provider(b, nil, 16)
	k.client = durable.NewClient(starter, nil)
	end := func(ctx *durable.Context, n int) (int, error) {
		k.ended.Store(ctx.InstanceID(), time.Now())
		return n, nil
	}
	k.runtime = runOn(b, provider, &durable.Options{
		MaxTurns: *benchTurns, MaxActivities: *benchActivities, Fetchers: *benchFetchers, WarmInstances: warm,
	},
		noop.With(func(_ context.Context, n int) (int, error) { return n, nil }),
		sequence.With(func(ctx *durable.Context, n int) (int, error) {
			for i := range n {
				if _, err := noop.Call(ctx, i); err != nil {
					return 0, err
				}
			}
			return end(ctx, n)
		}),
		fan.With(func(ctx *durable.Context, n int) (int, error) {
			var all []*durable.Future[int]
			for i := range n {
				all = append(all, noop.Schedule(ctx, i))
			}
			if _, err := durable.JoinAll(ctx, all...); err != nil {
				return 0, err
			}
			return end(ctx, n)
		}))
	return k
}

func (k *bench) provider(b *testing.B, tracer pgx.QueryTracer, conns int) (*pgprovider.Provider, *pgxpool.Pool) {
	b.Helper()
	config, err := pgxpool.ParseConfig(k.URL)
	must(b, err)
	config.MaxConns = int32(conns)
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	if tracer != nil {
		config.ConnConfig.Tracer = tracer
		dial := config.ConnConfig.DialFunc
		config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return countingConn{conn, &k.read}, err
		}
	}
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	must(b, err)
	b.Cleanup(pool.Close)
	o := &pgprovider.Options{Schema: k.Schema}
	o.LongPoll.Disabled = tracer == nil // that of the client
	p, err := pgprovider.New(b.Context(), pool, o)
	must(b, err)
	b.Cleanup(func() { _ = p.Close() })
	return p, pool
}

func (k *bench) id() string { return fmt.Sprintf("instance-%06d", k.ids.Add(1)) }

// report says what an activity cost; with -test.v also by stored function.
func (k *bench) report(b *testing.B, activities int) {
	b.Helper()
	per := func(n float64) float64 { return n / float64(activities) }
	b.ReportMetric(float64(activities)/b.Elapsed().Seconds(), "activities/s")
	k.queries.mu.Lock()
	defer k.queries.mu.Unlock()
	total := queryCount{}
	var lines []string
	for name, c := range k.queries.counts {
		total.n += c.n
		lines = append(lines, fmt.Sprintf("%8.0f ms in %6d of %s", c.time.Seconds()*1000, c.n, name))
	}
	b.ReportMetric(per(float64(total.n)), "queries/activity")
	b.ReportMetric(per(float64(k.read.Load()))/1000, "kB-read/activity")
	if testing.Verbose() {
		slices.Sort(lines)
		slices.Reverse(lines)
		for _, line := range lines {
			b.Log(line)
		}
		b.Logf("%+v", k.runtime.WarmStats())
		b.Logf("%8.0f ms waiting for a connection", k.pool.Stat().EmptyAcquireWaitTime().Seconds()*1000)
	}
}

// countingConn counts what it reads.
type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return d[len(d)/2].Seconds() * 1000
}

// queryCounter counts the statements of a pool by the stored function that they
// call, with the time until their result was read.
type queryCounter struct {
	mu     sync.Mutex
	counts map[string]*queryCount
}

type queryCount struct {
	n    int
	time time.Duration
}

type queryKey struct{}

type querySpan struct {
	name  string
	began time.Time
}

var functionName = regexp.MustCompile(`\.(\w+)\(`)

// TraceQueryStart implements [pgx.QueryTracer].
func (*queryCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	name := "something else"
	if m := functionName.FindStringSubmatch(d.SQL); m != nil {
		name = m[1]
	}
	return context.WithValue(ctx, queryKey{}, querySpan{name, time.Now()})
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (c *queryCounter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	span := ctx.Value(queryKey{}).(querySpan)
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.counts[span.name]
	if q == nil {
		q = &queryCount{}
		c.counts[span.name] = q
	}
	q.n++
	q.time += time.Since(span.began)
}
