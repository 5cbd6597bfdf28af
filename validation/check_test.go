package validation_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/validation"
)

func TestSkips(t *testing.T) {
	t.Parallel()
	h := memory()
	h.CorruptHistory = nil
	c := caseNamed(t, "TestReadCorruptedHistoryReturnsError")
	if r := virtually(t, h, c); r.Outcome != validation.Skipped || r.Reason != "the harness has no CorruptHistory" {
		t.Errorf("without the hook: %v", r)
	}
	h.RequireAll = true
	if r := virtually(t, h, c); r.Outcome != validation.Failed || !strings.Contains(r.String(), "the harness has no CorruptHistory") {
		t.Errorf("without the hook, all required: %v", r)
	}
	if r := virtually(t, h, caseNamed(t, "TestShortPollReturnsImmediately")); r.Outcome != validation.NotApplicable {
		t.Errorf("the other half, all required: %v", r)
	}
}

// TestDeadline has fetches that take an hour, with and without regard for their
// context.
func TestDeadline(t *testing.T) {
	t.Parallel()
	c := caseNamed(t, "TestCorruptedSerializationData")
	for _, tt := range []struct {
		name, want string
		fetch      call[core.FetchOrchestrationItemParams, *core.OrchestrationItem]
	}{
		{
			"heeds its context", "the case took longer than 10s",
			func(_ core.Provider, ctx context.Context, _ core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		},
		{
			"does not", "a call of the provider does not return",
			func(core.Provider, context.Context, core.FetchOrchestrationItemParams) (*core.OrchestrationItem, error) {
				time.Sleep(time.Hour)
				return nil, nil
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := breaking(memory(), broken{fetchTurn: tt.fetch})
			h.CaseTimeout = 10 * time.Second
			r := virtually(t, h, c)
			if r.Outcome != validation.Failed || !strings.Contains(strings.Join(r.Failures, "\n"), tt.want) {
				t.Errorf("%v, want %q", r, tt.want)
			}
			if r.Elapsed < h.CaseTimeout || r.Elapsed > 2*h.CaseTimeout {
				t.Errorf("the case took %v with a deadline of %v", r.Elapsed, h.CaseTimeout)
			}
		})
	}
}

// TestSlowMachine has a fetch take longer than the delay that the case checks.
func TestSlowMachine(t *testing.T) {
	t.Parallel()
	slow := func(times int32) validation.Harness {
		var n atomic.Int32
		return breaking(memory(), broken{
			abandonWork: func(p core.Provider, ctx context.Context, a core.AbandonParams) error {
				err := p.AbandonWorkItem(ctx, a)
				if n.Add(1) <= times {
					time.Sleep(time.Second)
				}
				return err
			},
		})
	}
	c := caseNamed(t, "TestAbandonWorkItemWithDelay")
	if r := virtually(t, slow(2), c); r.Outcome != validation.Passed || r.Tries != 3 {
		t.Errorf("slow twice: %d tries, %v", r.Tries, r)
	}
	r := virtually(t, slow(100), c)
	if r.Outcome != validation.Failed || r.Tries != 5 || !strings.Contains(r.String(), "the steps took 1s where the delay allowed 500ms") {
		t.Errorf("always slow: %d tries, %v", r.Tries, r)
	}
}

func TestHarness(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, tt := range map[string]struct {
		edit func(*validation.Harness)
		want string
	}{
		"no provider":     {func(h *validation.Harness) { h.NewProvider = nil }, "the harness has no NewProvider"},
		"a short lease":   {func(h *validation.Harness) { h.LockTimeout = time.Millisecond }, "LockTimeout of 1ms, want at least 1s"},
		"a negative time": {func(h *validation.Harness) { h.CaseTimeout = -1 }, "CaseTimeout of -1ns"},
		"not parallel":    {func(h *validation.Harness) { h.Parallel = -1 }, "Parallel of -1"},
		"no store": {
			func(h *validation.Harness) {
				h.NewProvider = func(context.Context) (core.Provider, error) { return nil, full }
			}, "open a provider: disk full",
		},
		"nothing": {
			func(h *validation.Harness) {
				h.NewProvider = func(context.Context) (core.Provider, error) { return nil, nil }
			}, "the harness returned no provider",
		},
		"no end": {
			func(h *validation.Harness) {
				h.Close = func(context.Context, core.Provider) error { return full }
			}, "close: disk full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := memory()
			tt.edit(&h)
			r := virtually(t, h, caseNamed(t, "TestKvGetUnknownInstance"))
			if r.Outcome != validation.Failed || !strings.Contains(strings.Join(r.Failures, "\n"), tt.want) {
				t.Errorf("%v, want %q", r, tt.want)
			}
		})
	}
}

// TestClose checks that every provider that was opened is closed, once.
func TestClose(t *testing.T) {
	t.Parallel()
	h := memory()
	open := map[core.Provider]int{}
	sound := h.NewProvider
	h.NewProvider = func(ctx context.Context) (core.Provider, error) {
		p, err := sound(ctx)
		open[p]++
		return p, err
	}
	h.Close = func(_ context.Context, p core.Provider) error {
		open[p]--
		return nil
	}
	if r := virtually(t, h, caseNamed(t, "TestFetchFilterBoundaryVersions")); r.Outcome != validation.Passed || len(open) != 2 {
		t.Errorf("%v, with %d providers, want 2", r, len(open))
	}
	for _, n := range open {
		if n != 0 {
			t.Errorf("a provider was closed %d times too few", n)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	h := breaking(memory(), broken{
		value: func(core.Provider, context.Context, core.GetKVValueParams) (*string, error) { return nil, nil },
	})
	h.CorruptHistory = nil
	report, err := validation.Check(t.Context(), h,
		caseNamed(t, "TestKvGetNonexistent"),
		caseNamed(t, "TestKvSetAndGet"),
		caseNamed(t, "TestReadCorruptedHistoryReturnsError"),
		caseNamed(t, "TestShortPollReturnsImmediately"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if want := "memory 0.1.0, long polling: 1 passed, 1 failed, 1 skipped, 1 not applicable"; report.String() != want {
		t.Errorf("summary %q, want %q", report.String(), want)
	}
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "kv_store/TestKvSetAndGet: failed") {
		t.Errorf("error %v", err)
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Provider  string
		LongPolls bool `json:"long_polls"`
		Counts    map[string]int
		Results   []struct{ Name, Category, Rule, Contract, Outcome, Reason string }
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Provider != "memory" || !got.LongPolls {
		t.Errorf("report %s", text)
	}
	if diff := cmp.Diff(map[string]int{"passed": 1, "failed": 1, "skipped": 1, "not_applicable": 1}, got.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	var outcomes []string
	for _, r := range got.Results {
		outcomes = append(outcomes, r.Category+"/"+r.Name+" "+r.Outcome+" "+r.Reason)
	}
	want := []string{
		"kv_store/TestKvGetNonexistent passed ",
		"kv_store/TestKvSetAndGet failed ",
		"error_handling/TestReadCorruptedHistoryReturnsError skipped the harness has no CorruptHistory",
		"long_polling/TestShortPollReturnsImmediately not_applicable the provider waits in a fetch",
	}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if _, err := validation.Check(t.Context(), validation.Harness{}); err == nil {
		t.Error("a harness without a provider was accepted")
	}
}
