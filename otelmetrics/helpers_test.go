package otelmetrics_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/otelmetrics"
)

// env is a store whose runtimes and client are measured, in the virtual time of a
// synctest bubble.
type env struct {
	*testing.T
	p       core.Provider // measured
	store   *faulty       // what is behind it
	metrics *otelmetrics.Metrics
	reader  *sdk.ManualReader
	client  *durable.Client
}

func inBubble(t *testing.T, f func(e *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &env{T: t, store: &faulty{Provider: memprovider.New(nil)}, reader: sdk.NewManualReader()}
		metrics, err := otelmetrics.New(sdk.NewMeterProvider(sdk.WithReader(e.reader)), &otelmetrics.Options{Store: e.store})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := metrics.Close(); err != nil {
				t.Error(err)
			}
		})
		e.metrics, e.p = metrics, metrics.Provider(e.store)
		e.client = durable.NewClient(e.p, &durable.ClientOptions{Observer: metrics.ClientObserver()})
		f(e)
	})
}

// start starts a runtime, which is shut down at the end of the test.
func (e *env) start(o durable.Options, code ...durable.Registration) *durable.Runtime {
	e.Helper()
	reg := durable.NewRegistry()
	if err := reg.Add(code...); err != nil {
		e.Fatal(err)
	}
	o.Observer = e.metrics.Observer()
	rt, err := durable.NewRuntime(e.p, reg, &o)
	if err != nil {
		e.Fatal(err)
	}
	if err := rt.Start(e.Context()); err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() {
		if err := rt.Shutdown(context.WithoutCancel(e.Context())); err != nil {
			e.Error(err)
		}
	})
	return rt
}

// run runs an instance to its end, whatever that is.
func (e *env) run(id, in string) {
	e.Helper()
	run, err := flow.Start(e.Context(), e.client, id, in)
	if err != nil {
		e.Fatal(err)
	}
	_, _ = run.Wait(e.Context())
	synctest.Wait() // the runtime tells what it did after it is recorded
}

// collect returns what is exported now.
func (e *env) collect() metricdata.ResourceMetrics {
	e.Helper()
	var all metricdata.ResourceMetrics
	if err := e.reader.Collect(e.Context(), &all); err != nil {
		e.Fatal(err)
	}
	return all
}

// series returns a line for each series of the metrics with one of the prefixes,
// without the common "duroxide_". A histogram's value is "count/sum".
func (e *env) series(prefixes ...string) []string {
	e.Helper()
	all := e.collect()
	var lines []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			name := strings.TrimPrefix(m.Name, "duroxide_")
			if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
				continue
			}
			for _, p := range points(m.Data) {
				lines = append(lines, name+braces(p.labels)+" "+p.value)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// want compares the series of the metrics with one of the prefixes.
func (e *env) want(prefixes []string, lines ...string) {
	e.Helper()
	if diff := cmp.Diff(lines, e.series(prefixes...)); diff != "" {
		e.Errorf("series (-want +got):\n%s", diff)
	}
}

type point struct {
	labels attribute.Set
	value  string
}

func points(data metricdata.Aggregation) []point {
	var all []point
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			all = append(all, point{p.Attributes, fmt.Sprint(p.Value)})
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			all = append(all, point{p.Attributes, fmt.Sprint(p.Value)})
		}
	case metricdata.Histogram[int64]:
		for _, p := range d.DataPoints {
			all = append(all, point{p.Attributes, fmt.Sprintf("%d/%d", p.Count, p.Sum)})
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			all = append(all, point{p.Attributes, fmt.Sprintf("%d/%v", p.Count, p.Sum)})
		}
	}
	return all
}

func braces(labels attribute.Set) string {
	var all []string
	for _, kv := range labels.ToSlice() {
		all = append(all, fmt.Sprintf("%s=%s", kv.Key, kv.Value.AsString()))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// faulty answers acknowledgements of turns with errors while it is told to.
type faulty struct {
	core.Provider
	ack func() error // nil for none
}

// Unwrap shows the optional abilities.
func (f *faulty) Unwrap() core.Provider { return f.Provider }

func (f *faulty) AckOrchestrationItem(ctx context.Context, p core.AckOrchestrationItemParams) error {
	if f.ack != nil {
		if err := f.ack(); err != nil {
			return err
		}
	}
	return f.Provider.AckOrchestrationItem(ctx, p)
}

// flow is the orchestration of all tests.
const flow = durable.Orchestration[string, string]("flow")

const (
	kid   = durable.Orchestration[string, string]("kid")
	work  = durable.Activity[string, string]("work")
	alien = durable.Activity[string, string]("alien") // that nobody has
)

// code is the orchestration with the activity work, which fails for "bad", panics
// for "panic", takes a second for "slow" and waits for its cancellation for "wait",
// and the orchestration kid, which does the same after 10 s.
func code(fn func(ctx *durable.Context, in string) (string, error)) []durable.Registration {
	return []durable.Registration{
		flow.With(fn),
		kid.With(func(ctx *durable.Context, in string) (string, error) {
			ctx.Sleep(10 * time.Second)
			return work.Call(ctx, in)
		}),
		work.With(func(ctx context.Context, in string) (string, error) {
			switch in {
			case "bad":
				return "", errors.New("bad")
			case "panic":
				panic("boom")
			case "slow":
				time.Sleep(time.Second)
			case "wait":
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			return in, nil
		}),
	}
}
