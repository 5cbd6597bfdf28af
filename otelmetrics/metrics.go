package otelmetrics

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/duroxide/duroxide-go/core"
)

// scope and version name the instrumentation.
const (
	scope   = "github.com/duroxide/duroxide-go/otelmetrics"
	version = "0.1.0"
)

// Options configure [New]. The zero value of every field is its default.
type Options struct {
	// Store is the provider whose running instances and queues the gauges tell.
	// It must have [core.AdminReader], which all providers of this project do;
	// nil makes no gauges. Every process that shares a store tells the same
	// numbers: take their maximum, not their sum.
	Store core.Provider
	// GaugeInterval is how long the numbers of the gauges are good for: the store
	// is asked at most once in that time, however often they are collected. 0 is
	// 60 s.
	GaugeInterval time.Duration
	// Clock is the source of time; nil is the system's.
	Clock core.Clock
}

// Metrics holds the instruments of one process. Use [New]. It is safe for
// concurrent use; runtimes, clients and providers may share it.
type Metrics struct {
	clock      core.Clock
	instrument instruments
	operations map[string]operation

	closing sync.Mutex
	gauges  metric.Registration // nil for none, and once closed
}

// New makes the instruments. Nil options are the defaults. It returns an error
// that names the parameter or option that breaks a rule, and those of the meter
// provider.
func New(p metric.MeterProvider, o *Options) (*Metrics, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if p == nil {
		return nil, errors.New("otelmetrics: the meter provider is nil")
	}
	if opts.GaugeInterval < 0 {
		return nil, fmt.Errorf("otelmetrics: Options.GaugeInterval must be zero or more, not %v", opts.GaugeInterval)
	}
	if opts.GaugeInterval == 0 {
		opts.GaugeInterval = time.Minute
	}
	if opts.Clock == nil {
		opts.Clock = core.SystemClock()
	}
	meter := p.Meter(scope, metric.WithInstrumentationVersion(version))
	m := &Metrics{clock: opts.Clock, operations: newOperations()}
	var err error
	if m.instrument, err = newInstruments(meter); err != nil {
		return nil, fmt.Errorf("otelmetrics: %w", err)
	}
	if opts.Store != nil {
		if m.gauges, err = registerGauges(meter, opts); err != nil {
			return nil, fmt.Errorf("otelmetrics: %w", err)
		}
	}
	return m, nil
}

// Close stops the gauges from asking the store. The rest has nothing to close and
// goes on. Calling it again is harmless.
func (m *Metrics) Close() error {
	m.closing.Lock()
	defer m.closing.Unlock()
	if m.gauges == nil {
		return nil
	}
	err := m.gauges.Unregister()
	m.gauges = nil
	return err
}

// since is the time that has passed; not negative, whatever the clock says.
func (m *Metrics) since(t time.Time) time.Duration { return max(m.clock.Now().Sub(t), 0) }
