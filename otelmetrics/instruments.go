package otelmetrics

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// instruments are all but the gauges.
type instruments struct {
	starts, completions, failures             metric.Int64Counter
	orchestrationDuration                     metric.Float64Histogram
	historySize, turns                        metric.Int64Histogram
	orchestrationInfraErrors                  metric.Int64Counter
	orchestrationConfigErrors                 metric.Int64Counter
	continueAsNew, orchestrationPoison        metric.Int64Counter
	activities                                metric.Int64Counter
	activityDuration                          metric.Float64Histogram
	activityInfraErrors, activityConfigErrors metric.Int64Counter
	activityPoison                            metric.Int64Counter
	children                                  metric.Int64Counter
	childDuration                             metric.Float64Histogram
	operationDuration                         metric.Float64Histogram
	providerErrors                            metric.Int64Counter
	clientStarts, clientEvents, clientCancels metric.Int64Counter
	clientWait                                metric.Float64Histogram
	turnsFetched, activitiesFetched           metric.Int64Counter
	turnProcessing, activityProcessing        metric.Float64Histogram
	processed, warmMismatches                 metric.Int64Counter
}

func newInstruments(meter metric.Meter) (instruments, error) {
	var errs []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	numbers := func(name, unit, description string, bounds ...float64) metric.Int64Histogram {
		h, err := meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	durations := func(name, unit, description string, bounds ...float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	// The family has no boundaries for these two, since it never records them.
	milliseconds := []float64{1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 60_000, 300_000}
	i := instruments{
		starts: counter("duroxide_orchestration_starts_total", "{execution}",
			"Executions that began."),
		completions: counter("duroxide_orchestration_completions_total", "{execution}",
			"Executions that ended, in any way."),
		failures: counter("duroxide_orchestration_failures_total", "{execution}",
			"Executions that failed; those that were cancelled did not."),
		orchestrationDuration: durations("duroxide_orchestration_duration_seconds", "s",
			"From the start of an execution to its end.", 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600),
		historySize: numbers("duroxide_orchestration_history_size", "{event}",
			"Events of an execution that ended.", 10, 50, 100, 500, 1000, 5000, 10_000),
		turns: numbers("duroxide_orchestration_turns", "{turn}",
			"Turns of an execution that ended.", 1, 2, 5, 10, 20, 50, 100, 200, 500),
		orchestrationInfraErrors: counter("duroxide_orchestration_infrastructure_errors_total", "{execution}",
			"Executions that failed because of the storage or the runtime."),
		orchestrationConfigErrors: counter("duroxide_orchestration_configuration_errors_total", "{execution}",
			"Executions that failed because of their deployment."),
		continueAsNew: counter("duroxide_orchestration_continue_as_new_total", "{execution}",
			"Executions that continued as new."),
		orchestrationPoison: counter("duroxide_orchestration_poison_total", "{execution}",
			"Executions that failed because their messages were fetched too often."),
		activities: counter("duroxide_activity_executions_total", "{activity}",
			"Activities that ended."),
		activityDuration: durations("duroxide_activity_duration_seconds", "s",
			"How long the code of an activity ran.", 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
		activityInfraErrors: counter("duroxide_activity_infrastructure_errors_total", "{activity}",
			"Activities that failed because of the storage or the runtime."),
		activityConfigErrors: counter("duroxide_activity_configuration_errors_total", "{activity}",
			"Activities that failed because of their deployment."),
		activityPoison: counter("duroxide_activity_poison_total", "{activity}",
			"Activities that failed because they were fetched too often."),
		children: counter("duroxide_suborchestration_calls_total", "{execution}",
			"Sub-orchestrations whose parent learned of their end."),
		childDuration: durations("duroxide_suborchestration_duration_seconds", "s",
			"From the schedule of a sub-orchestration until its parent learned of its end.", 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600),
		operationDuration: durations("duroxide_provider_operation_duration_seconds", "s",
			"Calls of the provider; fetches include their wait for work.", 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5),
		providerErrors: counter("duroxide_provider_errors_total", "{error}",
			"Calls of the provider that failed."),
		clientStarts: counter("duroxide_client_orchestration_starts_total", "{start}",
			"Starts that clients sent."),
		clientEvents: counter("duroxide_client_external_events_raised_total", "{event}",
			"Events that clients sent."),
		clientCancels: counter("duroxide_client_cancellations_total", "{cancellation}",
			"Cancellations that clients sent."),
		clientWait: durations("duroxide_client_wait_duration_seconds", "s",
			"Waits of clients for the end of an instance.", 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120),
		turnsFetched: counter("duroxide_orchestration_dispatcher_items_fetched", "{item}",
			"Instances that were fetched for a turn."),
		activitiesFetched: counter("duroxide_worker_dispatcher_items_fetched", "{item}",
			"Activities that were fetched."),
		turnProcessing: durations("duroxide_orchestration_dispatcher_processing_duration_ms", "ms",
			"From the fetch of an instance until its turn was done with.", milliseconds...),
		activityProcessing: durations("duroxide_worker_dispatcher_execution_duration_ms", "ms",
			"From the fetch of an activity until it was done with.", milliseconds...),
		processed: counter("duroxide_dispatcher_items_processed_total", "{item}",
			"Instances and activities that were fetched and done with."),
		warmMismatches: counter("duroxide_orchestration_warm_mismatches_total", "{execution}",
			"Suspended executions that came out differently than their replay."),
	}
	return i, errors.Join(errs...)
}
