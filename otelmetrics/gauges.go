package otelmetrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/duroxide/duroxide-go/core"
)

// gauges are the numbers that the store tells. They are asked for when they are
// collected, and kept for a while.
type gauges struct {
	store    core.AdminReader
	interval time.Duration
	clock    core.Clock

	active, turns, activities metric.Int64ObservableGauge

	mu      sync.Mutex // held while asking, so that collections at the same time ask once
	asked   time.Time  // zero for never
	metrics *core.SystemMetrics
	depths  *core.QueueDepths // nil, as metrics, after a failure
}

func registerGauges(meter metric.Meter, o Options) (metric.Registration, error) {
	store, ok := core.Ability[core.AdminReader](o.Store)
	if !ok {
		return nil, fmt.Errorf("Options.Store must be a core.AdminReader, which the provider %s is not", o.Store.Name())
	}
	g := &gauges{store: store, interval: o.GaugeInterval, clock: o.Clock}
	var errs []error
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		i, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	g.active = gauge("duroxide_active_orchestrations", "{instance}", "Instances of the store that run.")
	g.turns = gauge("duroxide_orchestrator_queue_depth", "{message}", "Messages of the store that wait for a turn.")
	g.activities = gauge("duroxide_worker_queue_depth", "{message}", "Activities of the store that wait for a worker.")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return meter.RegisterCallback(g.observe, g.active, g.turns, g.activities)
}

// observe tells nothing, rather than old numbers, as long as the store cannot be
// asked.
func (g *gauges) observe(ctx context.Context, o metric.Observer) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if now := g.clock.Now(); g.asked.IsZero() || now.Sub(g.asked) >= g.interval {
		g.asked = now
		err = g.ask(ctx)
	}
	if g.metrics == nil || g.depths == nil {
		return err
	}
	o.ObserveInt64(g.active, int64(g.metrics.RunningInstances))
	o.ObserveInt64(g.turns, int64(g.depths.OrchestratorQueue))
	o.ObserveInt64(g.activities, int64(g.depths.WorkerQueue))
	return nil
}

func (g *gauges) ask(ctx context.Context) (err error) {
	g.metrics, g.depths = nil, nil
	metrics, err := g.store.GetSystemMetrics(ctx)
	if err != nil {
		return fmt.Errorf("otelmetrics: gauge of the instances: %w", err)
	}
	depths, err := g.store.GetQueueDepths(ctx)
	if err != nil {
		return fmt.Errorf("otelmetrics: gauges of the queues: %w", err)
	}
	g.metrics, g.depths = metrics, depths
	return nil
}
