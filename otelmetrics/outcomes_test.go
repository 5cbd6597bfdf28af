package otelmetrics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// TestOutcomes compares every series of a workflow's kind after it ran.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const labels = "orchestration_name=flow"
	for name, tt := range map[string]struct {
		options durable.Options
		code    []durable.Registration
		do      func(e *env)
		metrics []string // prefixes
		want    []string
	}{
		// The family's first runtime counts 3 starts and 4 activities here.
		"three turns with two activities": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				if _, err := work.Call(ctx, in); err != nil {
					return "", err
				}
				return work.Call(ctx, "slow")
			}),
			do:      func(e *env) { e.run("i", "x") },
			metrics: []string{"orchestration_", "activity_", "suborchestration_"},
			want: []string{
				"activity_duration_seconds{activity_name=work,outcome=success,tag=default} 2/1",
				"activity_executions_total{activity_name=work,outcome=success,retry_attempt=0,tag=default} 2",
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=success,version=1.0.0} 1",
				"orchestration_dispatcher_items_fetched{} 3",
				"orchestration_dispatcher_processing_duration_ms{} 3/0",
				"orchestration_duration_seconds{" + labels + ",status=success,version=1.0.0} 1/1",
				"orchestration_history_size{" + labels + "} 1/6",
				"orchestration_starts_total{initiated_by=client," + labels + ",version=1.0.0} 1",
				"orchestration_turns{" + labels + "} 1/3",
			},
		},
		"the labels of names": {
			code: append(code(func(ctx *durable.Context, in string) (string, error) { return work.Call(ctx, in) }),
				durable.Orchestration[string, string]("other").With(func(*durable.Context, string) (string, error) { return "", nil })),
			do: func(e *env) {
				e.run("i", "")
				e.run("j", "")
				if err := e.client.Start(e.Context(), "other", "k", `""`); err != nil {
					e.Fatal(err)
				}
				synctest.Wait()
			},
			metrics: []string{"orchestration_starts", "activity_executions", "client_orchestration"},
			want: []string{
				"activity_executions_total{activity_name=work,outcome=success,retry_attempt=0,tag=default} 2",
				"client_orchestration_starts_total{" + labels + "} 2",
				"client_orchestration_starts_total{orchestration_name=other} 1",
				"orchestration_starts_total{initiated_by=client," + labels + ",version=1.0.0} 2",
				"orchestration_starts_total{initiated_by=client,orchestration_name=other,version=1.0.0} 1",
			},
		},
		"versions": {
			code: []durable.Registration{
				flow.With(func(*durable.Context, string) (string, error) { return "", nil }),
				flow.Version("2.0.0").With(func(*durable.Context, string) (string, error) { return "", nil }),
			},
			do: func(e *env) {
				e.run("i", "")
				if _, err := flow.Version("1.0.0").Start(e.Context(), e.client, "j", ""); err != nil {
					e.Fatal(err)
				}
				synctest.Wait()
			},
			metrics: []string{"orchestration_starts", "orchestration_completions"},
			want: []string{
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=success,version=1.0.0} 1",
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=success,version=2.0.0} 1",
				"orchestration_starts_total{initiated_by=client," + labels + ",version=1.0.0} 1",
				"orchestration_starts_total{initiated_by=client," + labels + ",version=2.0.0} 1",
			},
		},
		"many turns": {
			code: code(func(ctx *durable.Context, in string) (string, error) {
				for range len(in) {
					ctx.Sleep(time.Second)
				}
				return "", nil
			}),
			do: func(e *env) {
				for _, sleeps := range []int{4, 5, 9, 10, 49, 50} {
					e.run(fmt.Sprint(sleeps), strings.Repeat("x", sleeps))
				}
			},
			metrics: []string{"orchestration_completions", "orchestration_turns", "orchestration_duration", "orchestration_history"},
			want: []string{
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=success,version=1.0.0} 1",
				"orchestration_completions_total{final_turn_count=11-50," + labels + ",status=success,version=1.0.0} 2",
				"orchestration_completions_total{final_turn_count=50+," + labels + ",status=success,version=1.0.0} 1",
				"orchestration_completions_total{final_turn_count=6-10," + labels + ",status=success,version=1.0.0} 2",
				"orchestration_duration_seconds{" + labels + ",status=success,version=1.0.0} 6/127",
				"orchestration_history_size{" + labels + "} 6/266",
				"orchestration_turns{" + labels + "} 6/133",
			},
		},
		"failures of the code": {
			code: code(func(ctx *durable.Context, in string) (string, error) { return work.Call(ctx, in) }),
			do: func(e *env) {
				e.run("i", "bad")
				e.run("j", "panic")
			},
			metrics: []string{"orchestration_failures", "orchestration_completions", "orchestration_infra", "orchestration_config", "orchestration_poison", "activity_"},
			want: []string{
				"activity_duration_seconds{activity_name=work,outcome=app_error,tag=default} 2/0",
				"activity_executions_total{activity_name=work,outcome=app_error,retry_attempt=0,tag=default} 2",
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=failed,version=1.0.0} 2",
				"orchestration_failures_total{error_category=orchestration_failed,error_type=app_error," + labels + ",version=1.0.0} 2",
			},
		},
		"a panic": {
			code:    code(func(*durable.Context, string) (string, error) { panic("boom") }),
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"orchestration_failures"},
			want:    []string{"orchestration_failures_total{error_category=panicked,error_type=app_error," + labels + ",version=1.0.0} 1"},
		},
		"a failure of the storage": {
			code: code(func(ctx *durable.Context, _ string) (string, error) {
				ctx.Sleep(time.Second)
				return "", nil
			}),
			do: func(e *env) {
				n := 0
				e.store.ack = func() error {
					if n++; n == 2 {
						return core.Permanent("ack_orchestration_item", core.ErrInvalidArgument)
					}
					return nil
				}
				e.run("i", "")
			},
			metrics: []string{"orchestration_failures", "orchestration_infra", "orchestration_config", "orchestration_completions"},
			want: []string{
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=failed,version=1.0.0} 1",
				"orchestration_failures_total{error_category=ack_orchestration_item,error_type=infrastructure_error," + labels + ",version=1.0.0} 1",
				"orchestration_infrastructure_errors_total{error_category=ack_orchestration_item," + labels + "} 1",
			},
		},
		"cancelled is not failed": {
			code: code(func(ctx *durable.Context, _ string) (string, error) { return work.Call(ctx, "wait") }),
			do: func(e *env) {
				if _, err := flow.Start(e.Context(), e.client, "i", ""); err != nil {
					e.Fatal(err)
				}
				synctest.Wait()
				if err := e.client.Cancel(e.Context(), "i", "enough"); err != nil {
					e.Fatal(err)
				}
				time.Sleep(time.Minute)
			},
			metrics: []string{"orchestration_completions", "orchestration_failures", "activity_", "client_cancellations"},
			want: []string{
				"activity_duration_seconds{activity_name=work,outcome=cancelled,tag=default} 1/0",
				"activity_executions_total{activity_name=work,outcome=cancelled,retry_attempt=0,tag=default} 1",
				"client_cancellations_total{} 1",
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=cancelled,version=1.0.0} 1",
			},
		},
		"continue as new": {
			code: code(func(_ *durable.Context, in string) (string, error) {
				if len(in) < 2 {
					return "", flow.ContinueAsNew(in + "x")
				}
				return in, nil
			}),
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"orchestration_starts", "orchestration_completions", "orchestration_continue"},
			want: []string{
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=continuedAsNew,version=1.0.0} 2",
				"orchestration_completions_total{final_turn_count=1-5," + labels + ",status=success,version=1.0.0} 1",
				"orchestration_continue_as_new_total{" + labels + "} 2",
				"orchestration_starts_total{initiated_by=client," + labels + ",version=1.0.0} 1",
				"orchestration_starts_total{initiated_by=continueAsNew," + labels + ",version=1.0.0} 2",
			},
		},
		"children": {
			code: code(func(ctx *durable.Context, _ string) (string, error) {
				durable.Join(ctx, kid.Schedule(ctx, "good"), kid.Schedule(ctx, "bad"), kid.Schedule(ctx, "good"))
				return "", nil
			}),
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"suborchestration_", "orchestration_starts"},
			want: []string{
				"orchestration_starts_total{initiated_by=client," + labels + ",version=1.0.0} 1",
				"orchestration_starts_total{initiated_by=suborchestration,orchestration_name=kid,version=1.0.0} 3",
				"suborchestration_calls_total{child_orchestration=kid,outcome=failed,parent_orchestration=flow} 1",
				"suborchestration_calls_total{child_orchestration=kid,outcome=success,parent_orchestration=flow} 2",
				"suborchestration_duration_seconds{child_orchestration=kid,outcome=failed,parent_orchestration=flow} 1/10",
				"suborchestration_duration_seconds{child_orchestration=kid,outcome=success,parent_orchestration=flow} 2/20",
			},
		},
		"tags and durations of activities": {
			options: durable.Options{Tags: core.TagFilter{Mode: core.TagsAny}},
			code: code(func(ctx *durable.Context, _ string) (string, error) {
				durable.Join(ctx, work.Schedule(ctx, "slow"), work.Schedule(ctx, "slow", durable.WithTag("gpu")), work.Schedule(ctx, "x"))
				return "", nil
			}),
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"activity_"},
			want: []string{
				"activity_duration_seconds{activity_name=work,outcome=success,tag=default} 2/1",
				"activity_duration_seconds{activity_name=work,outcome=success,tag=gpu} 1/1",
				"activity_executions_total{activity_name=work,outcome=success,retry_attempt=0,tag=default} 2",
				"activity_executions_total{activity_name=work,outcome=success,retry_attempt=0,tag=gpu} 1",
			},
		},
		"poison of an activity": { // which fails its orchestration, but that is no poison
			options: durable.Options{MaxAttempts: 2},
			code:    code(func(ctx *durable.Context, in string) (string, error) { return alien.Call(ctx, in) }),
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"orchestration_failures", "orchestration_poison", "activity_"},
			want: []string{
				"activity_duration_seconds{activity_name=alien,outcome=poison,tag=default} 1/0",
				"activity_executions_total{activity_name=alien,outcome=poison,retry_attempt=2,tag=default} 1",
				"activity_poison_total{} 1",
				"orchestration_failures_total{error_category=activity,error_type=poison," + labels + ",version=1.0.0} 1",
			},
		},
		"many deliveries": {
			options: durable.Options{MaxAttempts: 3},
			code:    code(func(ctx *durable.Context, in string) (string, error) { return alien.Call(ctx, in) }),
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"activity_executions"},
			want:    []string{"activity_executions_total{activity_name=alien,outcome=poison,retry_attempt=3+,tag=default} 1"},
		},
		"poison of an orchestration": {
			options: durable.Options{MaxAttempts: 5},
			code:    []durable.Registration{durable.Orchestration[string, string]("another").With(func(_ *durable.Context, in string) (string, error) { return in, nil })},
			do:      func(e *env) { e.run("i", "") },
			metrics: []string{"orchestration_failures", "orchestration_poison", "activity_"},
			want: []string{
				"orchestration_failures_total{error_category=orchestration,error_type=poison," + labels + ",version=unknown} 1",
				"orchestration_poison_total{} 1",
			},
		},
		"poison that cannot be decoded": {
			options: durable.Options{MaxAttempts: 2},
			code:    code(func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Second); return "", nil }),
			do: func(e *env) {
				if _, err := flow.Start(e.Context(), e.client, "i", ""); err != nil {
					e.Fatal(err)
				}
				synctest.Wait()
				e.store.Provider.(interface{ CorruptHistory(string) }).CorruptHistory("i")
				time.Sleep(time.Minute)
			},
			metrics: []string{"orchestration_failures", "orchestration_poison", "orchestration_completions", "orchestration_duration", "orchestration_turns"},
			want: []string{
				"orchestration_completions_total{final_turn_count=unknown," + labels + ",status=failed,version=1.0.0} 1",
				"orchestration_failures_total{error_category=undecodable,error_type=poison," + labels + ",version=1.0.0} 1",
				"orchestration_poison_total{} 1",
			},
		},
		"the work of dispatchers": {
			options: durable.Options{MaxAttempts: 2},
			code: code(func(ctx *durable.Context, in string) (string, error) {
				_, _ = work.Call(ctx, in)
				return alien.Call(ctx, in)
			}),
			do:      func(e *env) { e.run("i", "slow") },
			metrics: []string{"orchestration_dispatcher", "worker_dispatcher", "dispatcher_"},
			want: []string{
				"dispatcher_items_processed_total{outcome=abandoned,queue=worker} 2",
				"dispatcher_items_processed_total{outcome=acked,queue=orchestrator} 3",
				"dispatcher_items_processed_total{outcome=acked,queue=worker} 2",
				"orchestration_dispatcher_items_fetched{} 3",
				"orchestration_dispatcher_processing_duration_ms{} 3/0",
				"worker_dispatcher_execution_duration_ms{} 4/1000",
				"worker_dispatcher_items_fetched{} 4",
			},
		},
		"clients": {
			code: code(func(ctx *durable.Context, _ string) (string, error) {
				return durable.WaitEvent[string](ctx, "go").Await(ctx)
			}),
			do: func(e *env) {
				if _, err := flow.Start(e.Context(), e.client, "i", ""); err != nil {
					e.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(e.Context(), time.Minute)
				defer cancel()
				_, _ = e.client.Wait(ctx, "i")
				for range 2 { // the second one is too late, and raised all the same
					if err := e.client.RaiseEvent(e.Context(), "i", "go", ""); err != nil {
						e.Fatal(err)
					}
					synctest.Wait()
				}
			},
			metrics: []string{"client_"},
			want: []string{
				"client_external_events_raised_total{event_name=go} 2",
				"client_orchestration_starts_total{" + labels + "} 1",
				"client_wait_duration_seconds{} 1/60",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				e.start(tt.options, tt.code...)
				tt.do(e)
				e.want(tt.metrics, tt.want...)
			})
		})
	}
}

// TestNondeterminism is a configuration error when it fails the execution.
func TestNondeterminism(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		turn := 0
		e.start(durable.Options{Nondeterminism: durable.Fail, WarmInstances: -1}, code(func(ctx *durable.Context, _ string) (string, error) {
			if turn++; turn > 1 {
				return work.Call(ctx, "")
			}
			ctx.Sleep(time.Second)
			return "", nil
		})...)
		e.run("i", "")
		e.want([]string{"orchestration_failures", "orchestration_infra", "orchestration_config"},
			"orchestration_configuration_errors_total{error_category=nondeterminism,orchestration_name=flow} 1",
			"orchestration_failures_total{error_category=nondeterminism,error_type=config_error,orchestration_name=flow,version=1.0.0} 1",
		)
	})
}

// TestErrorKinds: each kind of error has its labels, and each kind that is not the
// code's its own counter. Most of them come from other members of the family.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		o := e.metrics.Observer()
		for name, details := range map[string]core.ErrorDetails{
			"code":         core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: "my text"},
			"activity":     core.ApplicationError{Kind: core.KindActivityFailed, Message: "my text"},
			"panic":        core.ApplicationError{Kind: core.KindPanicked, Message: "my text"},
			"storage":      core.InfrastructureError{Operation: "ack_orchestration_item", Message: "my text"},
			"deployment":   core.ConfigurationError{Kind: core.Nondeterminism, Resource: "my text"},
			"own poison":   core.PoisonError{MessageType: core.PoisonOrchestration{Instance: "my text"}},
			"its activity": core.PoisonError{MessageType: core.PoisonActivity{ActivityName: "my text"}},
			"unreadable":   core.PoisonError{MessageType: core.PoisonUndecodable{Error: "my text"}},
		} {
			o.ExecutionEnded(t.Context(), durable.ExecutionEnded{
				Execution: durable.Execution{Name: name, Version: "1"}, Status: durable.ExecutionFailed, Error: details, Poisoned: name == "own poison",
			})
		}
		for _, outcome := range []durable.ActivityOutcome{
			durable.ActivitySucceeded, durable.ActivityAppError, durable.ActivityCancelled,
			durable.ActivityConfigError, durable.ActivityInfraError, durable.ActivityPoison,
		} {
			o.ActivityEnded(t.Context(), durable.ActivityEnded{Name: "a", Outcome: outcome, Attempt: 1})
		}
		e.want([]string{"orchestration_failures", "orchestration_infra", "orchestration_config", "orchestration_poison", "activity_executions", "activity_infra", "activity_config", "activity_poison"},
			"activity_configuration_errors_total{activity_name=a} 1",
			"activity_executions_total{activity_name=a,outcome=app_error,retry_attempt=0,tag=default} 1",
			"activity_executions_total{activity_name=a,outcome=cancelled,retry_attempt=0,tag=default} 1",
			"activity_executions_total{activity_name=a,outcome=config_error,retry_attempt=0,tag=default} 1",
			"activity_executions_total{activity_name=a,outcome=infra_error,retry_attempt=0,tag=default} 1",
			"activity_executions_total{activity_name=a,outcome=poison,retry_attempt=0,tag=default} 1",
			"activity_executions_total{activity_name=a,outcome=success,retry_attempt=0,tag=default} 1",
			"activity_infrastructure_errors_total{activity_name=a} 1",
			"activity_poison_total{} 1",
			"orchestration_configuration_errors_total{error_category=nondeterminism,orchestration_name=deployment} 1",
			"orchestration_failures_total{error_category=ack_orchestration_item,error_type=infrastructure_error,orchestration_name=storage,version=1} 1",
			"orchestration_failures_total{error_category=activity,error_type=poison,orchestration_name=its activity,version=1} 1",
			"orchestration_failures_total{error_category=activity_failed,error_type=app_error,orchestration_name=activity,version=1} 1",
			"orchestration_failures_total{error_category=nondeterminism,error_type=config_error,orchestration_name=deployment,version=1} 1",
			"orchestration_failures_total{error_category=orchestration,error_type=poison,orchestration_name=own poison,version=1} 1",
			"orchestration_failures_total{error_category=orchestration_failed,error_type=app_error,orchestration_name=code,version=1} 1",
			"orchestration_failures_total{error_category=panicked,error_type=app_error,orchestration_name=panic,version=1} 1",
			"orchestration_failures_total{error_category=undecodable,error_type=poison,orchestration_name=unreadable,version=1} 1",
			"orchestration_infrastructure_errors_total{error_category=ack_orchestration_item,orchestration_name=storage} 1",
			"orchestration_poison_total{} 1",
		)
	})
}
