// Package otelmetrics counts what runtimes, clients and providers do as
// OpenTelemetry metrics. The names, labels and units are those of the duroxide
// family, so that one dashboard serves processes in Go and in Rust.
//
//	metrics, err := otelmetrics.New(otel.GetMeterProvider(), &otelmetrics.Options{Store: provider})
//	defer metrics.Close()
//	measured := metrics.Provider(provider)
//	rt, err := durable.NewRuntime(measured, reg, &durable.Options{Observer: metrics.Observer()})
//	client := durable.NewClient(measured, &durable.ClientOptions{Observer: metrics.ClientObserver()})
//
// docs/metrics.md lists the metrics. Labels hold names, versions, tags and kinds
// of errors, and never an id of an instance or an execution.
//
// Only the API of OpenTelemetry is used: what exports the metrics, and under
// which views, is the program's choice.
package otelmetrics
