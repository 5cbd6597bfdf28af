package durable

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/dispatch"
)

// warmCheckEvery is how many ends of resumed executions go by for one that is
// replayed as a check.
const warmCheckEvery = 100

// Runtime runs orchestrations and activities from a provider. Any number of
// runtimes, in any number of processes, can share one store.
type Runtime struct {
	provider core.Provider
	opts     Options
	config   dispatch.Config

	mu         sync.Mutex
	dispatcher *dispatch.Dispatcher
	stopped    bool
}

// NewRuntime returns a runtime that is not started yet. Nil options are the
// defaults. It returns [ErrInvalidInput] naming the option that breaks a rule.
func NewRuntime(p core.Provider, r *Registry, o *Options) (*Runtime, error) {
	if p == nil || r == nil {
		return nil, fmt.Errorf("%w: NewRuntime needs a provider and a registry", ErrInvalidInput)
	}
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	owner := opts.NodeID
	if owner == "" {
		owner = "go-" + rand.Text()
	}
	if opts.MaxSessions < 0 {
		owner = ""
	}
	registry := resolver{Registry: r, system: systemActivities(p, opts.Clock)}
	var observer dispatch.Observer
	if opts.Observer != nil {
		observer = observing{*opts.Observer}
	}
	turnFetchers, activityFetchers := opts.Fetchers, opts.Fetchers
	if opts.MaxTurns < 0 {
		opts.MaxTurns, turnFetchers = 0, 0
	}
	if opts.MaxActivities < 0 {
		opts.MaxActivities, activityFetchers, owner = 0, 0, ""
	}
	return &Runtime{provider: p, opts: opts, config: dispatch.Config{
		Provider: p,
		Registry: registry,
		Clock:    opts.Clock,
		Logger:   opts.Logger,
		Observer: observer,
		Turns: dispatch.Turns{
			Registry:           registry,
			Now:                opts.Clock.Now,
			Stamp:              opts.VersionStamp,
			Supported:          *opts.SupportedVersions,
			MaxAttempts:        opts.MaxAttempts,
			Backoff:            unregisteredBackoff(opts.UnregisteredBackoff, opts.UnregisteredBackoffMax),
			StrictInputs:       opts.StrictInputs,
			StrictReplay:       opts.StrictReplay,
			SlowAfter:          opts.SlowTurn,
			FailNondeterminism: opts.Nondeterminism == Fail,
			ParkDelay:          opts.ParkDelay,
			ParentExecution:    parentExecution(p),
			Logger:             opts.Logger,
		},
		MaxTurns: opts.MaxTurns, TurnFetchers: turnFetchers,
		MaxActivities: opts.MaxActivities, ActivityFetchers: activityFetchers,
		Warm:        dispatch.WarmConfig{Instances: opts.WarmInstances, Bytes: opts.WarmBytes, CheckEvery: warmCheckEvery},
		PollTimeout: opts.PollTimeout, MinPollInterval: opts.MinPollInterval,
		InstanceLock: opts.InstanceLock, InstanceLockBuffer: opts.InstanceLockBuffer,
		ActivityLock: opts.ActivityLock, ActivityLockBuffer: opts.ActivityLockBuffer,
		Tags: opts.Tags,
		Session: dispatch.SessionConfig{
			Owner: owner, Lock: opts.SessionLock, LockBuffer: 5 * time.Second,
			IdleTimeout: opts.SessionIdleTimeout, CleanupInterval: 5 * time.Minute, Max: opts.MaxSessions,
		},
		CancellationGrace: opts.CancellationGrace,
	}}, nil
}

// Start starts running work in the background until [Runtime.Shutdown]. The
// values of ctx reach activities; its end does not stop the runtime. A runtime
// starts once.
func (r *Runtime) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dispatcher != nil || r.stopped {
		return errors.New("durable: the runtime was started before")
	}
	r.opts.Logger.InfoContext(ctx, "duroxide runtime starting", "provider", r.provider.Name(), "provider_version", r.provider.Version(),
		"version_stamp", r.opts.VersionStamp, "supported_range", fmt.Sprintf(">=%s, <=%s", r.opts.SupportedVersions.Min, r.opts.SupportedVersions.Max))
	if !r.config.Registry.HasOrchestrations() {
		r.opts.Logger.InfoContext(ctx, "no orchestration is registered: this process takes no turns until one is")
	}
	r.dispatcher = dispatch.Start(ctx, r.config)
	return nil
}

// Shutdown stops fetching and lets running work finish until ctx ends. What is
// interrupted then is given back, not counted as a failure, and runs again
// elsewhere. It returns nil when everything finished. Calling it again, or
// before Start, is harmless.
func (r *Runtime) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	d := r.dispatcher
	r.stopped = true
	r.mu.Unlock()
	if d == nil {
		return nil
	}
	return d.Shutdown(ctx)
}

// WarmStats counts the turns of executions that had a history, and those that
// are kept suspended between turns; see [Options.WarmInstances].
type WarmStats struct {
	// Hits are the turns that went on from suspended code, Misses those that
	// replayed the history.
	Hits, Misses uint64
	// Evictions are the suspended executions that made room for others.
	Evictions uint64
	// Checks are the executions that were replayed at their end to be compared;
	// Mismatches are those that came out differently. Then the replay counts,
	// an error is logged, and the orchestration is not kept any more: its code
	// is not deterministic.
	Checks, Mismatches uint64
	// Instances are suspended now; Bytes is the memory that they hold by
	// estimate.
	Instances, Bytes int
}

// WarmStats returns what was counted since the start; zero before it.
func (r *Runtime) WarmStats() WarmStats {
	r.mu.Lock()
	d := r.dispatcher
	r.mu.Unlock()
	if d == nil {
		return WarmStats{}
	}
	return WarmStats(d.Warm())
}

// Run starts the runtime, waits for ctx to end, and shuts down, giving running
// work [Options.ShutdownGrace] to finish.
func (r *Runtime) Run(ctx context.Context) error {
	if err := r.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.ShutdownGrace)
	defer cancel()
	return r.Shutdown(grace)
}

// unregisteredBackoff doubles from base, at most six times, up to limit.
func unregisteredBackoff(base, limit time.Duration) func(uint32) time.Duration {
	return func(attempt uint32) time.Duration {
		return min(base<<min(max(attempt, 1)-1, 6), limit)
	}
}

// parentExecution finds the execution of a parent whose link was written by a
// runtime that did not record it yet.
func parentExecution(p core.Provider) func(context.Context, string) uint64 {
	return func(ctx context.Context, parent string) uint64 {
		execution := core.FirstExecutionID
		events, err := p.Read(ctx, core.ReadParams{Instance: parent})
		if err != nil {
			return execution
		}
		for _, ev := range events {
			execution = max(execution, ev.ExecutionID)
		}
		return execution
	}
}

// systemActivities are those that every runtime of the family provides
// (runtime 1.16).
func systemActivities(p core.Provider, clock core.Clock) map[string]dispatch.ActivityHandler {
	return map[string]dispatch.ActivityHandler{
		string(newGUIDActivity): func(context.Context, dispatch.Task) (string, error) { return newUUID(), nil },
		string(nowActivity): func(context.Context, dispatch.Task) (string, error) {
			return strconv.FormatInt(clock.Now().UnixMilli(), 10), nil
		},
		string(kvReadActivity): func(ctx context.Context, task dispatch.Task) (string, error) {
			var in struct {
				InstanceID *string `json:"instance_id"`
				Key        *string `json:"key"`
			}
			if err := json.Unmarshal([]byte(task.Input), &in); err != nil {
				return "", fmt.Errorf("get_kv_value: invalid input: %w", err)
			}
			if in.InstanceID == nil {
				return "", errors.New("get_kv_value: missing instance_id")
			}
			if in.Key == nil {
				return "", errors.New("get_kv_value: missing key")
			}
			v, err := p.GetKVValue(ctx, core.GetKVValueParams{Instance: *in.InstanceID, Key: *in.Key})
			if err != nil {
				return "", fmt.Errorf("get_kv_value client error: %w", err)
			}
			text, err := json.Marshal(v)
			return string(text), err
		},
	}
}

// newUUID returns a random UUID, version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
