package otelmetrics_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/otelmetrics"
	"github.com/duroxide/duroxide-go/validation"
)

// inner returns the in-memory provider below decorators.
func inner(p core.Provider) *memprovider.Provider {
	for {
		u, ok := p.(interface{ Unwrap() core.Provider })
		if !ok {
			return p.(*memprovider.Provider)
		}
		p = u.Unwrap()
	}
}

// TestConformance: a measured provider behaves as the one inside, by the whole
// suite, with its administration, where it fails and where it waits.
func TestConformance(t *testing.T) {
	t.Parallel()
	metrics, err := otelmetrics.New(noop.NewMeterProvider(), nil)
	if err != nil {
		t.Fatal(err)
	}
	validation.Run(t, func(*testing.T) validation.Harness {
		return validation.Harness{
			NewProvider: func(context.Context) (core.Provider, error) { return metrics.Provider(memprovider.New(nil)), nil },
			LongPolls:   true,
			CorruptHistory: func(_ context.Context, p core.Provider, instance string) error {
				inner(p).CorruptHistory(instance)
				return nil
			},
			CorruptQueues: func(_ context.Context, p core.Provider, instance string) error {
				inner(p).CorruptQueues(instance)
				return nil
			},
			MaxAttemptCount: func(_ context.Context, p core.Provider, instance string) (uint32, error) {
				return inner(p).MaxAttemptCount(instance), nil
			},
		}
	})
}

// bare hides the abilities of a provider; transactional adds two.
type bare struct{ core.Provider }

type transactional struct{ bare }

func (transactional) EnqueueForOrchestratorTx(context.Context, core.Tx, core.EnqueueForOrchestratorParams) error {
	return core.ErrForeignTx
}

func (transactional) AckWorkItemTx(context.Context, core.Tx, core.AckWorkItemParams) error {
	return nil
}

// abilities lists what a provider can do beside the contract.
func abilities(p core.Provider) []string {
	var all []string
	add := func(name string, ok bool) {
		if ok {
			all = append(all, name)
		}
	}
	add("turn tracker", has[core.TurnTracker](p))
	add("history range", has[core.HistoryRangeReader](p))
	add("states", has[core.InstanceStateReader](p))
	add("watcher", has[core.InstanceWatcher](p))
	add("admin", has[core.Admin](p))
	add("enqueue in tx", has[core.TxEnqueuer](p))
	add("acknowledge in tx", has[core.TxAcknowledger](p))
	return all
}

func has[T any](p core.Provider) bool {
	_, ok := core.Ability[T](p)
	return ok
}

// TestAbilities: a measured provider has the abilities of the one inside and no
// other.
func TestAbilities(t *testing.T) {
	t.Parallel()
	metrics, err := otelmetrics.New(noop.NewMeterProvider(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]core.Provider{
		"all of memory": memprovider.New(nil),
		"none":          bare{memprovider.New(nil)},
		"transactions":  transactional{bare{memprovider.New(nil)}},
	} {
		if diff := cmp.Diff(abilities(p), abilities(metrics.Provider(p))); diff != "" {
			t.Errorf("%s (-inside +measured):\n%s", name, diff)
		}
	}
	if got := abilities(metrics.Provider(memprovider.New(nil))); len(got) != 5 {
		t.Errorf("memory has %q: the test does not look", got)
	}
}

// TestWarmInstances: executions stay suspended on a measured provider, and the
// ranges of histories that are read for the others are measured.
func TestWarmInstances(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		instances int // kept suspended
		hits      bool
		ranges    bool
	}{"suspended": {0, true, false}, "too many": {1, true, true}, "never": {-1, false, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				rt := e.start(durable.Options{WarmInstances: tt.instances}, code(func(ctx *durable.Context, _ string) (string, error) {
					for range 20 { // more events than come with the instance
						ctx.Sleep(time.Second)
					}
					return "", nil
				})...)
				for _, id := range []string{"i", "j", "k"} {
					if _, err := flow.Start(e.Context(), e.client, id, ""); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				if hits := rt.WarmStats().Hits; (hits > 0) != tt.hits {
					t.Errorf("%d turns of suspended code", hits)
				}
				ranges := e.operations()["read_history_range success"]
				if (ranges > 0) != tt.ranges {
					t.Errorf("%d ranges were read", ranges)
				}
				e.want([]string{"orchestration_turns"}, "orchestration_turns{orchestration_name=flow} 3/63")
			})
		})
	}
}

// operations counts the measured calls by "operation status".
func (e *env) operations() map[string]int {
	e.Helper()
	all := map[string]int{}
	for _, line := range e.series("provider_operation_duration_seconds") {
		var count int
		var sum float64
		labels, value, _ := strings.Cut(strings.TrimPrefix(line, "provider_operation_duration_seconds{operation="), "} ")
		if _, err := fmt.Sscanf(value, "%d/%g", &count, &sum); err != nil {
			e.Fatalf("%s: %v", line, err)
		}
		all[strings.Replace(labels, ",status=", " ", 1)] = count
	}
	return all
}

// TestProviderCalls calls everything once, and sees each call measured once.
func TestProviderCalls(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		ctx, p := e.Context(), e.metrics.Provider(transactional{bare{e.store}})
		_, _ = p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: time.Second, PollTimeout: 20 * time.Second})
		_ = p.AckOrchestrationItem(ctx, core.AckOrchestrationItemParams{})
		_ = p.AbandonOrchestrationItem(ctx, core.AbandonParams{})
		_ = p.RenewOrchestrationItemLock(ctx, core.RenewLockParams{ExtendFor: time.Second})
		_ = p.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{Item: core.StartOrchestrationItem{Instance: "i"}})
		_ = p.EnqueueForWorker(ctx, core.EnqueueForWorkerParams{Item: core.ActivityExecuteItem{}})
		_, _ = p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: time.Second})
		_ = p.AckWorkItem(ctx, core.AckWorkItemParams{})
		_ = p.RenewWorkItemLock(ctx, core.RenewLockParams{ExtendFor: time.Second})
		_ = p.AbandonWorkItem(ctx, core.AbandonParams{})
		_, _ = p.Read(ctx, core.ReadParams{})
		_, _ = p.ReadWithExecution(ctx, core.ReadWithExecutionParams{})
		_ = p.AppendWithExecution(ctx, core.AppendWithExecutionParams{Instance: "i", ExecutionID: 1})
		_, _ = p.RenewSessionLock(ctx, core.RenewSessionLockParams{ExtendFor: time.Second, IdleTimeout: time.Second})
		_, _ = p.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{})
		_, _ = p.GetCustomStatus(ctx, core.GetCustomStatusParams{})
		_, _ = p.GetInstanceStats(ctx, core.GetInstanceStatsParams{})
		_, _ = p.GetKVValue(ctx, core.GetKVValueParams{})
		_, _ = p.GetKVAllValues(ctx, core.GetKVAllValuesParams{})
		enqueuer, _ := core.Ability[core.TxEnqueuer](p)
		_ = enqueuer.EnqueueForOrchestratorTx(ctx, nil, core.EnqueueForOrchestratorParams{})
		acknowledger, _ := core.Ability[core.TxAcknowledger](p)
		_ = acknowledger.AckWorkItemTx(ctx, nil, core.AckWorkItemParams{})
		ranges, _ := core.Ability[core.HistoryRangeReader](e.p)
		_, _ = ranges.ReadHistoryRange(ctx, core.ReadHistoryRangeParams{})
		states, _ := core.Ability[core.InstanceStateReader](e.p)
		_, _ = states.GetInstanceStates(ctx, core.GetInstanceStatesParams{})
		if diff := cmp.Diff(map[string]int{
			"fetch_orchestration_item success":    1,
			"ack_orchestration_item error":        1,
			"abandon_orchestration_item error":    1,
			"renew_orchestration_item_lock error": 1,
			"enqueue_orchestrator success":        1,
			"enqueue_worker success":              1,
			"fetch_work_item success":             1,
			"ack_work_item error":                 1,
			"renew_work_item_lock error":          1,
			"abandon_work_item error":             1,
			"read success":                        1,
			"read_with_execution success":         1,
			"append_with_execution success":       1,
			"renew_session_lock success":          1,
			"cleanup_orphaned_sessions success":   1,
			"get_custom_status success":           1,
			"get_instance_stats success":          1,
			"get_kv_value success":                1,
			"get_kv_all_values success":           1,
			"enqueue_orchestrator_tx error":       1,
			"ack_work_item_tx success":            1,
			"read_history_range success":          1,
			"get_instance_states success":         1,
		}, e.operations()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		// A fetch includes its wait for work.
		const fetch = "provider_operation_duration_seconds{operation=fetch_orchestration_item,status=success} 1/20"
		if !slices.Contains(e.series("provider_operation"), fetch) {
			t.Errorf("no series %s", fetch)
		}
	})
}

// sqlError is an error as the drivers of PostgreSQL have it.
type sqlError string

func (e sqlError) Error() string    { return "the text says nothing" }
func (e sqlError) SQLState() string { return string(e) }

// TestProviderErrors: errors are counted by what they are, whatever they say.
func TestProviderErrors(t *testing.T) {
	t.Parallel()
	const op = "ack_orchestration_item"
	for name, tt := range map[string]struct {
		err  error
		want string // error_type
	}{
		"lost lock":           {core.Permanent(op, core.ErrLockLost), "lock_lost"},
		"undecodable":         {core.Permanent(op, fmt.Errorf("event 1: %w", core.ErrUndecodable)), "corruption"},
		"duplicate event":     {core.Permanent(op, core.ErrDuplicateEvent), "constraint_violation"},
		"deadline":            {context.DeadlineExceeded, "timeout"},
		"network":             {core.Retryable(op, &net.OpError{Op: "dial", Err: errors.New("refused")}), "connection"},
		"network, timed out":  {core.Retryable(op, &net.DNSError{IsTimeout: true}), "timeout"},
		"SQL deadlock":        {core.Retryable(op, sqlError("40P01")), "deadlock"},
		"SQL lock timeout":    {core.Retryable(op, sqlError("55P03")), "timeout"},
		"SQL statement timer": {core.Retryable(op, sqlError("57014")), "timeout"},
		"SQL shutdown":        {core.Retryable(op, sqlError("57P01")), "connection"},
		"SQL connection":      {core.Retryable(op, sqlError("08006")), "connection"},
		"SQL unique":          {core.Permanent(op, sqlError("23505")), "constraint_violation"},
		"SQL, something else": {core.Permanent(op, sqlError("42601")), "other"},
		"SQL without a state": {core.Permanent(op, sqlError("")), "other"},
		"busy":                {core.Retryable(op, errors.New("database is locked: deadlock timeout connection")), "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(e *env) {
				e.store.ack = func() error { time.Sleep(2 * time.Second); return tt.err }
				if err := e.p.AckOrchestrationItem(e.Context(), core.AckOrchestrationItemParams{}); !errors.Is(err, tt.err) {
					t.Errorf("returns %v", err)
				}
				e.want([]string{"provider_"},
					"provider_errors_total{error_type="+tt.want+",operation=ack_orchestration_item} 1",
					"provider_operation_duration_seconds{operation=ack_orchestration_item,status=error} 1/2",
				)
			})
		})
	}
}

// TestProviderCancelled: a call whose caller gave up is not the store's failure.
func TestProviderCancelled(t *testing.T) {
	t.Parallel()
	inBubble(t, func(e *env) {
		ctx, cancel := context.WithCancel(e.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		_, err := e.p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: time.Second, PollTimeout: time.Hour})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("returns %v", err)
		}
		e.want([]string{"provider_"})
	})
}
