package otelmetrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/otelmetrics"
)

var gaugeNames = []string{"active_orchestrations", "orchestrator_queue", "worker_queue"}

func (e *env) wantGauges(active, turns, activities string) {
	e.Helper()
	e.want(gaugeNames, "active_orchestrations{} "+active, "orchestrator_queue_depth{} "+turns, "worker_queue_depth{} "+activities)
}

// TestGauges follows the gauges while an instance runs. They are there from the
// start, and change once in a minute.
func TestGauges(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		e.wantGauges("0", "0", "0")
		run, err := flow.Start(e.Context(), e.client, "i", "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		e.wantGauges("0", "0", "0") // as they were
		time.Sleep(time.Second)
		e.wantGauges("0", "1", "0")

		e.start(durable.Options{MaxActivities: 1}, code(func(ctx *durable.Context, _ string) (string, error) {
			durable.Join(ctx, work.Schedule(ctx, "wait"), work.Schedule(ctx, ""), work.Schedule(ctx, ""))
			return "", nil
		})...)
		time.Sleep(time.Minute)
		e.wantGauges("1", "0", "2")

		if err := e.client.Cancel(e.Context(), "i", "enough"); err != nil {
			t.Fatal(err)
		}
		_, _ = run.Wait(e.Context())
		time.Sleep(time.Minute)
		e.wantGauges("0", "0", "0")
	})
}

// asked counts the questions about the store, and answers them with an error
// while there is one.
type asked struct {
	core.Provider
	core.AdminReader
	times           int
	metrics, depths error
}

func (a *asked) GetSystemMetrics(ctx context.Context) (*core.SystemMetrics, error) {
	a.times++
	if a.metrics != nil {
		return nil, a.metrics
	}
	return a.AdminReader.GetSystemMetrics(ctx)
}

func (a *asked) GetQueueDepths(ctx context.Context) (*core.QueueDepths, error) {
	if a.depths != nil {
		return nil, a.depths
	}
	return a.AdminReader.GetQueueDepths(ctx)
}

// TestGaugeInterval: the store is asked at most once in the interval, also when it
// does not answer, and no more after Close. Old numbers are not told.
func TestGaugeInterval(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	synctest.Test(t, func(t *testing.T) {
		p := memprovider.New(nil)
		store := &asked{Provider: p, AdminReader: p}
		reader := sdk.NewManualReader()
		metrics, err := otelmetrics.New(sdk.NewMeterProvider(sdk.WithReader(reader)), &otelmetrics.Options{Store: store, GaugeInterval: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		collect := func(times, gauges int, failure error) {
			t.Helper()
			var all metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &all); !errors.Is(err, failure) {
				t.Errorf("collected with %v, want %v", err, failure)
			}
			got := 0
			for _, scope := range all.ScopeMetrics {
				got += len(scope.Metrics)
			}
			if store.times != times || got != gauges {
				t.Errorf("asked %d times for %d gauges, want %d and %d", store.times, got, times, gauges)
			}
		}
		collect(1, 3, nil)
		time.Sleep(9 * time.Second)
		collect(1, 3, nil)
		time.Sleep(time.Second)
		collect(2, 3, nil)
		store.metrics = down
		collect(2, 3, nil)
		time.Sleep(10 * time.Second)
		collect(3, 0, down)
		collect(3, 0, nil)
		store.metrics, store.depths = nil, down
		time.Sleep(10 * time.Second)
		collect(4, 0, down)
		store.depths = nil
		time.Sleep(10 * time.Second)
		collect(5, 3, nil)
		for range 2 {
			if err := metrics.Close(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(10 * time.Second)
		collect(5, 0, nil)
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	provider := sdk.NewMeterProvider()
	for name, tt := range map[string]struct {
		options *otelmetrics.Options
		without bool // a meter provider
		want    string
	}{
		"no meter provider":          {nil, true, "the meter provider is nil"},
		"a negative interval":        {&otelmetrics.Options{GaugeInterval: -1}, false, "Options.GaugeInterval must be zero or more, not -1ns"},
		"a store that tells nothing": {&otelmetrics.Options{Store: bare{memprovider.New(nil)}}, false, "Options.Store must be a core.AdminReader, which the provider memory is not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err error
			if tt.without {
				_, err = otelmetrics.New(nil, tt.options)
			} else {
				_, err = otelmetrics.New(provider, tt.options)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
