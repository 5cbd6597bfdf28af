package otelmetrics_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// described is a metric as the page describes it.
type described struct{ Kind, Labels, Unit string }

// TestDocs exports every metric and compares docs/metrics.md with them: the kinds,
// the labels, the units and the boundaries.
func TestDocs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		e.exportAll()
		exported := map[string]described{}
		for _, scope := range e.collect().ScopeMetrics {
			for _, m := range scope.Metrics {
				exported[m.Name] = describe(m)
				if m.Description == "" {
					t.Errorf("%s has no description", m.Name)
				}
			}
		}
		if diff := cmp.Diff(exported, tabled(t)); diff != "" {
			t.Errorf("metrics (-exported +docs/metrics.md):\n%s", diff)
		}
	})
}

// exportAll makes a series of each metric.
func (e *env) exportAll() {
	e.Helper()
	ctx, o, c := e.Context(), e.metrics.Observer(), e.metrics.ClientObserver()
	o.ExecutionStarted(ctx, durable.ExecutionStarted{})
	o.ExecutionEnded(ctx, durable.ExecutionEnded{Status: durable.ExecutionContinuedAsNew, Turns: 1})
	for _, details := range []core.ErrorDetails{core.ConfigurationError{}, core.InfrastructureError{}} {
		o.ExecutionEnded(ctx, durable.ExecutionEnded{Status: durable.ExecutionFailed, Error: details, Poisoned: true})
	}
	for _, outcome := range []durable.ActivityOutcome{durable.ActivityInfraError, durable.ActivityConfigError, durable.ActivityPoison} {
		o.ActivityEnded(ctx, durable.ActivityEnded{Outcome: outcome})
	}
	o.SubOrchestrationEnded(ctx, durable.SubOrchestrationEnded{})
	for _, queue := range []durable.WorkQueue{durable.OrchestratorQueue, durable.WorkerQueue} {
		o.Fetched(ctx, durable.Fetched{Queue: queue})
		o.Processed(ctx, durable.Processed{Queue: queue, Fate: durable.WorkAcked, Duration: time.Second})
	}
	o.WarmMismatch(ctx, durable.WarmMismatch{})
	c.Started(ctx, durable.ClientStarted{})
	c.EventRaised(ctx, durable.ClientEventRaised{})
	c.Cancelled(ctx, durable.ClientCancelled{})
	c.Waited(ctx, durable.ClientWaited{})
	_ = e.p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{})
}

func describe(m metricdata.Metrics) described {
	d := described{Unit: m.Unit}
	bounds := func(all []float64) {
		for i, bound := range all {
			d.Unit += map[bool]string{true: ": ", false: " "}[i == 0] + fmt.Sprintf("%.10g", bound)
		}
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		d.Kind = "counter"
	case metricdata.Gauge[int64]:
		d.Kind = "gauge"
	case metricdata.Histogram[int64]:
		d.Kind = "histogram"
		bounds(data.DataPoints[0].Bounds)
	case metricdata.Histogram[float64]:
		d.Kind = "histogram"
		bounds(data.DataPoints[0].Bounds)
	}
	var labels []string
	all := points(m.Data)[0].labels
	for _, kv := range all.ToSlice() {
		labels = append(labels, "`"+string(kv.Key)+"`")
	}
	d.Labels = strings.Join(labels, ", ")
	return d
}

// tabled reads the page's table of metrics.
func tabled(t *testing.T) map[string]described {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]described{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || !strings.HasPrefix(cells[1], " `duroxide_") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name := strings.Trim(cells[1], "`")
		if _, twice := all[name]; twice || cells[5] == "" {
			t.Errorf("%s is there twice, or not explained", name)
		}
		all[name] = described{Kind: cells[2], Labels: cells[3], Unit: cells[4]}
	}
	return all
}
