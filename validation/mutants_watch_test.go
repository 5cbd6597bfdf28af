package validation_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/validation"
)

// badWatch answers those who wait for instances in a way of its own.
type badWatch struct {
	core.Provider
	edit func([]core.InstanceState) []core.InstanceState  // may be nil
	hear func(core.InstanceHint, func(core.InstanceHint)) // may be nil
	late bool                                             // hints go on after the end
}

func (b badWatch) Unwrap() core.Provider { return b.Provider }

func (b badWatch) GetInstanceStates(ctx context.Context, p core.GetInstanceStatesParams) ([]core.InstanceState, error) {
	reader, _ := core.Ability[core.InstanceStateReader](b.Provider)
	states, err := reader.GetInstanceStates(ctx, p)
	if b.edit != nil {
		states = b.edit(states)
	}
	return states, err
}

func (b badWatch) WatchInstances(ctx context.Context, f func(core.InstanceHint)) error {
	watcher, _ := core.Ability[core.InstanceWatcher](b.Provider)
	if b.late {
		go func() {
			longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			defer cancel()
			_ = watcher.WatchInstances(longer, f)
		}()
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return watcher.WatchInstances(ctx, func(h core.InstanceHint) {
		if b.hear != nil {
			b.hear(h, f)
			return
		}
		f(h)
	})
}

func TestWatchMutants(t *testing.T) {
	t.Parallel()
	without := func(instance string) func(core.InstanceHint, func(core.InstanceHint)) {
		return func(h core.InstanceHint, f func(core.InstanceHint)) {
			if h.Instance != instance {
				f(h)
			}
		}
	}
	for name, m := range map[string]struct {
		killer string
		badWatch
	}{
		"the last instance is left out": {"TestInstanceStates", badWatch{edit: func(s []core.InstanceState) []core.InstanceState {
			return s[:max(len(s)-1, 0)]
		}}},
		"the status is that of the first execution": {"TestInstanceStates", badWatch{edit: func(s []core.InstanceState) []core.InstanceState {
			for i := range s {
				s[i].ExecutionID = 1
			}
			return s
		}}},
		"unknown instances run": {"TestInstanceStates", badWatch{edit: func(s []core.InstanceState) []core.InstanceState {
			return append(slices.Clip(s), core.InstanceState{InstanceID: "unknown", Status: core.StatusRunning})
		}}},
		"the custom status is left out": {"TestInstanceStates", badWatch{edit: func(s []core.InstanceState) []core.InstanceState {
			for i := range s {
				s[i].CustomStatus = nil
			}
			return s
		}}},
		"hints go on after the end": {"TestInstanceHintsEnd", badWatch{late: true}},
		"no hint at first":          {"TestInstanceHints", badWatch{hear: without("")}},
		"no hints of failures":      {"TestInstanceHints", badWatch{hear: without("j")}},
		"no hints of successes": {"TestInstanceHints", badWatch{hear: func() func(core.InstanceHint, func(core.InstanceHint)) {
			seen := 0
			return func(h core.InstanceHint, f func(core.InstanceHint)) {
				if h.Instance == "i" {
					seen++
				}
				if seen < 2 || h.Instance != "i" {
					f(h)
				}
			}
		}()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := memory()
			sound := h.NewProvider
			h.NewProvider = func(ctx context.Context) (core.Provider, error) {
				p, err := sound(ctx)
				b := m.badWatch
				b.Provider = p
				return b, err
			}
			if r := virtually(t, h, extraNamed(t, m.killer)); r.Outcome != validation.Failed {
				t.Errorf("survives %s: %v", m.killer, r)
			}
		})
	}
}
