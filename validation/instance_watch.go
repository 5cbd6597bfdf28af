package validation

import (
	"context"
	"errors"

	"github.com/duroxide/duroxide-go/core"
)

// instanceWatchCases are about what those who wait for instances use, two optional
// abilities.
var instanceWatchCases = append(
	needingAbility[core.InstanceStateReader]("the provider does not read the states of many instances", inCategory("instance_watch",
		Case{
			Name:     "TestInstanceStates",
			Rule:     "The states are those of the current executions; there is none of an unknown instance.",
			Contract: "core.InstanceStateReader",
			run:      instanceStates,
		},
	)),
	needingAbility[core.InstanceWatcher]("the provider gives no hints of instances", inCategory("instance_watch",
		Case{
			Name:     "TestInstanceHints",
			Rule:     "There is a hint at once, and one of each end and each custom status that this provider records.",
			Contract: "core.InstanceWatcher",
			run:      instanceHints,
		},
		Case{
			Name:     "TestInstanceHintsEnd",
			Rule:     "There are no hints any more when the context has ended, whose cause is returned.",
			Contract: "core.InstanceWatcher",
			run:      instanceHintsEnd,
		},
	))...,
)

// needingAbility leaves cases out for providers without an optional ability.
func needingAbility[T any](reason string, cases []Case) []Case {
	for i := range cases {
		cases[i].optional = func(p core.Provider) string { return unless(has[T](p), reason) }
	}
	return cases
}

func instanceStates(t *trial) {
	t.create("running")
	t.createWith("status", ack{events: eventsOf("status", 1, 2, core.CustomStatusUpdated{Status: ptr("half")})})
	t.createWith("completed", ack{
		events: eventsOf("completed", 1, 2, core.OrchestrationCompleted{Output: "out"}),
		meta:   core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("out")},
	})
	t.create("again")
	t.step("again", ack{
		events: eventsOf("again", 1, 2, core.OrchestrationContinuedAsNew{Input: "in"}),
		meta:   core.ExecutionMetadata{Status: core.StatusContinuedAsNew, Output: ptr("in")},
	})
	t.step("again", ack{exec: 2, meta: named("TestOrch", "1.0.0"), events: []core.Event{started("again", 2)}})

	reader, _ := core.Ability[core.InstanceStateReader](t.p)
	states, err := reader.GetInstanceStates(t.ctx, core.GetInstanceStatesParams{
		Instances: []string{"unknown", "completed", "status", "running", "again"},
	})
	t.check("get_instance_states", err)
	got := map[string]core.InstanceState{}
	for _, s := range states {
		if _, twice := got[s.InstanceID]; twice {
			t.errorf("%s comes twice", s.InstanceID)
		}
		got[s.InstanceID] = s
	}
	wantEqual(t, "states", got, map[string]core.InstanceState{
		"running":   {InstanceID: "running", ExecutionID: 1, Status: core.StatusRunning},
		"status":    {InstanceID: "status", ExecutionID: 1, Status: core.StatusRunning, CustomStatus: ptr("half"), CustomStatusVersion: 1},
		"completed": {InstanceID: "completed", ExecutionID: 1, Status: core.StatusCompleted, Output: ptr("out")},
		"again":     {InstanceID: "again", ExecutionID: 2, Status: core.StatusRunning},
	})
	states, err = reader.GetInstanceStates(t.ctx, core.GetInstanceStatesParams{})
	t.check("get_instance_states", err)
	if len(states) > 0 {
		t.errorf("states of no instances: %v", states)
	}
}

// watchInstances watches until stop is called, which returns what the call did.
func (t *trial) watchInstances() (hints <-chan core.InstanceHint, stop func(cause error) error) {
	watcher, _ := core.Ability[core.InstanceWatcher](t.p)
	ctx, cancel := context.WithCancelCause(t.ctx)
	all := make(chan core.InstanceHint, 100)
	returned := make(chan error, 1)
	go func() {
		returned <- watcher.WatchInstances(ctx, func(h core.InstanceHint) {
			select {
			case all <- h:
			default: // nobody looks any more
			}
		})
	}()
	return all, func(cause error) error {
		cancel(cause)
		return <-returned
	}
}

// wantHint waits for a hint at the instance, or at all if it is empty.
func (t *trial) wantHint(because string, hints <-chan core.InstanceHint, instance string) {
	for {
		select {
		case h := <-hints:
			if h.Instance == instance {
				return
			}
		case <-t.ctx.Done():
			t.fatalf("no hint at %q: %s", instance, because)
		}
	}
}

func instanceHints(t *trial) {
	t.create("i")
	t.create("j")
	hints, stop := t.watchInstances()
	t.wantHint("the first one", hints, "")
	t.step("i", ack{events: eventsOf("i", 1, 2, core.CustomStatusUpdated{Status: ptr("half")})})
	t.wantHint("the custom status was set", hints, "i")
	t.step("j", ack{
		events: eventsOf("j", 1, 2, core.OrchestrationFailed{Details: core.ApplicationError{Kind: core.KindOrchestrationFailed}}),
		meta:   core.ExecutionMetadata{Status: core.StatusFailed, Output: ptr("no")},
	})
	t.wantHint("it failed", hints, "j")
	t.step("i", ack{
		events: eventsOf("i", 1, 3, core.OrchestrationCompleted{Output: "out"}),
		meta:   core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("out")},
	})
	t.wantHint("it completed", hints, "i")
	_ = stop(nil)
}

func instanceHintsEnd(t *trial) {
	t.create("i")
	hints, stop := t.watchInstances()
	t.wantHint("the first one", hints, "")
	cause := errors.New("enough")
	if err := stop(cause); !errors.Is(err, cause) {
		t.errorf("watch_instances returned %v, want %v", err, cause)
	}
	for len(hints) > 0 {
		<-hints
	}
	t.step("i", ack{
		events: eventsOf("i", 1, 2, core.OrchestrationCompleted{Output: "out"}),
		meta:   core.ExecutionMetadata{Status: core.StatusCompleted, Output: ptr("out")},
	})
	if len(hints) > 0 {
		t.errorf("%+v after the end", <-hints)
	}
}
