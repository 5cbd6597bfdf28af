package otelmetrics

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// Observer returns what counts a runtime's work, for durable.Options.
//
// The family labels duroxide_orchestration_continue_as_new_total with the
// execution's id, which is a new series for each execution; this package does
// not.
func (m *Metrics) Observer() *durable.Observer {
	return &durable.Observer{
		ExecutionStarted:      m.executionStarted,
		ExecutionEnded:        m.executionEnded,
		SubOrchestrationEnded: m.subOrchestrationEnded,
		ActivityEnded:         m.activityEnded,
		Fetched:               m.fetched,
		Processed:             m.processed,
		WarmMismatch:          m.warmMismatch,
	}
}

func (m *Metrics) executionStarted(ctx context.Context, e durable.ExecutionStarted) {
	m.instrument.starts.Add(ctx, 1, labels(
		attribute.String("orchestration_name", e.Name),
		attribute.String("version", e.Version),
		attribute.String("initiated_by", string(e.InitiatedBy)),
	))
}

func (m *Metrics) executionEnded(ctx context.Context, e durable.ExecutionEnded) {
	i := &m.instrument
	name := attribute.String("orchestration_name", e.Name)
	release := attribute.String("version", e.Version)
	status := attribute.String("status", string(e.Status))
	i.completions.Add(ctx, 1, labels(name, release, status, attribute.String("final_turn_count", turnRange(e.Turns))))
	if e.Turns > 0 { // else its history cannot be read, and nobody knows
		i.orchestrationDuration.Record(ctx, e.Duration.Seconds(), labels(name, release, status))
		i.historySize.Record(ctx, int64(e.HistorySize), labels(name))
		i.turns.Record(ctx, int64(e.Turns), labels(name))
	}
	switch e.Status {
	case durable.ExecutionContinuedAsNew:
		i.continueAsNew.Add(ctx, 1, labels(name))
	case durable.ExecutionFailed:
		kind, category := classify(e.Error)
		detail := attribute.String("error_category", category)
		i.failures.Add(ctx, 1, labels(name, release, attribute.String("error_type", kind), detail))
		switch kind {
		case infrastructureError:
			i.orchestrationInfraErrors.Add(ctx, 1, labels(name, detail))
		case configError:
			i.orchestrationConfigErrors.Add(ctx, 1, labels(name, detail))
		}
		if e.Poisoned {
			i.orchestrationPoison.Add(ctx, 1)
		}
	}
}

// turnRange is the label of a number of turns.
func turnRange(turns int) string {
	switch {
	case turns == 0:
		return "unknown"
	case turns <= 5:
		return "1-5"
	case turns <= 10:
		return "6-10"
	case turns <= 50:
		return "11-50"
	}
	return "50+"
}

// The values of error_type.
const (
	appError            = "app_error"
	infrastructureError = "infrastructure_error"
	configError         = "config_error"
	poison              = "poison"
)

// classify returns the labels error_type and error_category. All of them are few:
// none has text of the user's.
func classify(details core.ErrorDetails) (kind, category string) {
	switch d := details.(type) {
	case core.InfrastructureError:
		return infrastructureError, d.Operation
	case core.ConfigurationError:
		return configError, "nondeterminism" // the only one there is
	case core.PoisonError:
		switch d.MessageType.(type) {
		case core.PoisonActivity:
			return poison, "activity"
		case core.PoisonUndecodable:
			return poison, "undecodable"
		}
		return poison, "orchestration"
	case core.ApplicationError:
		switch d.Kind {
		case core.KindActivityFailed:
			return appError, "activity_failed"
		case core.KindPanicked:
			return appError, "panicked"
		}
	}
	return appError, "orchestration_failed"
}

func (m *Metrics) subOrchestrationEnded(ctx context.Context, e durable.SubOrchestrationEnded) {
	outcome := "success"
	if e.Error != nil {
		outcome = "failed"
	}
	all := labels(
		attribute.String("parent_orchestration", e.Parent.Name),
		attribute.String("child_orchestration", e.Child),
		attribute.String("outcome", outcome),
	)
	m.instrument.children.Add(ctx, 1, all)
	m.instrument.childDuration.Record(ctx, e.Duration.Seconds(), all)
}

func (m *Metrics) activityEnded(ctx context.Context, e durable.ActivityEnded) {
	i := &m.instrument
	name := attribute.String("activity_name", e.Name)
	outcome := attribute.String("outcome", string(e.Outcome))
	tag := attribute.String("tag", "default")
	if e.Tag != nil {
		tag = attribute.String("tag", *e.Tag)
	}
	i.activities.Add(ctx, 1, labels(name, outcome, attribute.String("retry_attempt", retryAttempt(e.Attempt)), tag))
	i.activityDuration.Record(ctx, e.Duration.Seconds(), labels(name, outcome, tag))
	switch e.Outcome {
	case durable.ActivityInfraError:
		i.activityInfraErrors.Add(ctx, 1, labels(name))
	case durable.ActivityConfigError:
		i.activityConfigErrors.Add(ctx, 1, labels(name))
	case durable.ActivityPoison:
		i.activityPoison.Add(ctx, 1)
	}
}

// retryAttempt is the label of a delivery: the first one is no retry.
func retryAttempt(attempt uint32) string {
	if attempt > 3 {
		return "3+"
	}
	return strconv.Itoa(int(max(attempt, 1) - 1))
}

func (m *Metrics) fetched(ctx context.Context, e durable.Fetched) {
	if e.Queue == durable.WorkerQueue {
		m.instrument.activitiesFetched.Add(ctx, 1)
		return
	}
	m.instrument.turnsFetched.Add(ctx, 1)
}

func (m *Metrics) processed(ctx context.Context, e durable.Processed) {
	took := float64(e.Duration) / float64(time.Millisecond)
	if e.Queue == durable.WorkerQueue {
		m.instrument.activityProcessing.Record(ctx, took)
	} else {
		m.instrument.turnProcessing.Record(ctx, took)
	}
	m.instrument.processed.Add(ctx, 1, labels(
		attribute.String("queue", string(e.Queue)),
		attribute.String("outcome", string(e.Fate)),
	))
}

func (m *Metrics) warmMismatch(ctx context.Context, e durable.WarmMismatch) {
	m.instrument.warmMismatches.Add(ctx, 1, labels(attribute.String("orchestration_name", e.Name)))
}

// labels makes an option of attributes.
func labels(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}
