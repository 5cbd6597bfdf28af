package otelmetrics

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"github.com/duroxide/duroxide-go/durable"
)

// ClientObserver returns what counts a client's work, for durable.ClientOptions.
func (m *Metrics) ClientObserver() *durable.ClientObserver {
	i := &m.instrument
	return &durable.ClientObserver{
		Started: func(ctx context.Context, e durable.ClientStarted) {
			i.clientStarts.Add(ctx, 1, labels(attribute.String("orchestration_name", e.Name)))
		},
		EventRaised: func(ctx context.Context, e durable.ClientEventRaised) {
			i.clientEvents.Add(ctx, 1, labels(attribute.String("event_name", e.Name)))
		},
		Cancelled: func(ctx context.Context, _ durable.ClientCancelled) {
			i.clientCancels.Add(ctx, 1)
		},
		Waited: func(ctx context.Context, e durable.ClientWaited) {
			i.clientWait.Record(ctx, e.Duration.Seconds())
		},
	}
}
