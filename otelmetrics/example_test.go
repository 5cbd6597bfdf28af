package otelmetrics_test

import (
	"context"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/otelmetrics"
)

// A runtime and a client that are measured. The reader stands for the program's
// exporter.
func Example() {
	ctx := context.Background()
	reader := sdk.NewManualReader()
	meters := sdk.NewMeterProvider(sdk.WithReader(reader))

	provider := memprovider.New(nil)
	metrics, err := otelmetrics.New(meters, &otelmetrics.Options{Store: provider})
	if err != nil {
		panic(err)
	}
	defer func() { _ = metrics.Close() }()

	const (
		greet = durable.Activity[string, string]("greet")
		hello = durable.Orchestration[string, string]("hello")
	)
	reg := durable.NewRegistry()
	if err := reg.Add(
		greet.With(func(_ context.Context, name string) (string, error) { return "Hello, " + name + "!", nil }),
		hello.With(func(ctx *durable.Context, name string) (string, error) { return greet.Call(ctx, name) }),
	); err != nil {
		panic(err)
	}
	measured := metrics.Provider(provider)
	rt, err := durable.NewRuntime(measured, reg, &durable.Options{Observer: metrics.Observer()})
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	client := durable.NewClient(measured, &durable.ClientOptions{Observer: metrics.ClientObserver()})
	run, err := hello.Start(ctx, client, "greet-1", "Bob")
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))
	if err := rt.Shutdown(ctx); err != nil {
		panic(err)
	}

	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "duroxide_activity_executions_total" {
			for _, p := range sum.DataPoints {
				outcome, _ := p.Attributes.Value("outcome")
				fmt.Println(m.Name, outcome.AsString(), p.Value)
			}
		}
	}
	// Output:
	// Hello, Bob! <nil>
	// duroxide_activity_executions_total success 1
}
