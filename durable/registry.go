package durable

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/dispatch"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// firstVersion is the version of code that was registered without one.
const firstVersion = "1.0.0"

type registrationKind int

const (
	activityKind registrationKind = iota
	orchestrationKind
)

// Registration binds a name to code. The With methods of [Activity] and
// [Orchestration] make one; [Registry.Add] takes it.
type Registration struct {
	kind          registrationKind
	name          string
	version       string
	activity      dispatch.ActivityHandler
	orchestration replay.Handler
	missing       bool // no code was given
}

// VersionPolicy says which version of an orchestration a start without one
// takes. The zero value is [Latest].
type VersionPolicy struct{ exact string }

// Latest takes the highest registered version.
var Latest = VersionPolicy{}

// Exact takes that version; while it is not registered, starts wait for a
// process that has it.
func Exact(version string) VersionPolicy { return VersionPolicy{exact: version} }

// Registry holds the code that a process can run. Libraries offer a function
// that adds theirs to the application's. It is safe for concurrent use; code
// that is added later is used from the next turn on.
type Registry struct {
	mu             sync.RWMutex
	activities     map[string]dispatch.ActivityHandler
	orchestrations map[string]*versions
}

// versions are the versions of one orchestration, lowest first.
type versions struct {
	list   []versionedCode
	policy VersionPolicy
}

type versionedCode struct {
	version core.Version
	handler replay.Handler
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{activities: map[string]dispatch.ActivityHandler{}, orchestrations: map[string]*versions{}}
}

// Add adds code. It returns one error for everything that is wrong, and then
// adds nothing: a name without code, a name registered twice, a version that
// is not semver or not above those that are there, an activity name with the
// runtime's reserved prefix.
func (r *Registry) Add(registrations ...Registration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.copy()
	var errs []error
	for _, g := range registrations {
		if err := next.add(g); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.activities, r.orchestrations = next.activities, next.orchestrations
	return nil
}

// Replace adds code in the place of what is registered under the same name, for
// an orchestration under the same name and version. It is for tests, which put
// mocks in the place of activities. It returns errors as Add does, and then
// changes nothing.
func (r *Registry) Replace(registrations ...Registration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.copy()
	var errs []error
	for _, g := range registrations {
		if err := next.replace(g); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.activities, r.orchestrations = next.activities, next.orchestrations
	return nil
}

// replace puts code in the place of what is there, else it adds it.
func (r *Registry) replace(g Registration) error {
	if g.kind == activityKind && r.activities[g.name] != nil && !g.missing {
		r.activities[g.name] = g.activity
		return nil
	}
	if vs := r.orchestrations[g.name]; g.kind == orchestrationKind && vs != nil && !g.missing {
		if v, err := core.ParseVersion(g.version); err == nil {
			for i := range vs.list {
				if vs.list[i].version.Compare(v) == 0 {
					vs.list[i].handler = g.orchestration
					return nil
				}
			}
		}
	}
	return r.add(g)
}

// copy returns a registry that can be changed without r noticing.
func (r *Registry) copy() *Registry {
	c := &Registry{activities: maps.Clone(r.activities), orchestrations: make(map[string]*versions, len(r.orchestrations))}
	for name, v := range r.orchestrations {
		c.orchestrations[name] = &versions{list: slices.Clone(v.list), policy: v.policy}
	}
	return c
}

func (r *Registry) add(g Registration) error {
	switch {
	case g.kind == activityKind && g.missing:
		return fmt.Errorf("activity %q: no code given", g.name)
	case g.kind == activityKind && strings.HasPrefix(g.name, core.SyscallPrefix):
		return fmt.Errorf("activity name '%s' uses reserved prefix '%s'", g.name, core.SyscallPrefix)
	case g.kind == activityKind && r.activities[g.name] != nil:
		return fmt.Errorf("duplicate activity registration: %s", g.name)
	case g.kind == activityKind:
		r.activities[g.name] = g.activity
		return nil
	case g.missing:
		return fmt.Errorf("orchestration %q: no code given", g.name)
	}
	v, err := core.ParseVersion(g.version)
	if err != nil {
		return fmt.Errorf("orchestration %s: %w", g.name, err)
	}
	vs := r.orchestrations[g.name]
	if vs == nil {
		vs = &versions{}
		r.orchestrations[g.name] = vs
	}
	for _, have := range vs.list {
		if have.version.Compare(v) == 0 {
			return fmt.Errorf("duplicate orchestration registration: %s@%s", g.name, v)
		}
	}
	if n := len(vs.list); n > 0 && v.Compare(vs.list[n-1].version) < 0 {
		return fmt.Errorf("non-monotonic orchestration version for %s: %s is not later than existing latest %s", g.name, v, vs.list[n-1].version)
	}
	vs.list = append(vs.list, versionedCode{v, g.orchestration})
	return nil
}

// Merge adds everything that another registry holds, policies included. It
// returns one error for all names that both hold, and then adds nothing.
func (r *Registry) Merge(other *Registry) error {
	other.mu.RLock()
	var all []Registration
	policies := map[string]VersionPolicy{}
	for name, h := range other.activities {
		all = append(all, Registration{kind: activityKind, name: name, activity: h})
	}
	for name, vs := range other.orchestrations {
		policies[name] = vs.policy
		for _, v := range vs.list {
			all = append(all, Registration{kind: orchestrationKind, name: name, version: v.version.String(), orchestration: v.handler})
		}
	}
	other.mu.RUnlock()
	if err := r.Add(all...); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, p := range policies {
		if p != Latest {
			r.orchestrations[name].policy = p
		}
	}
	return nil
}

// SetPolicy says which version of an orchestration a start without one takes.
// It returns an error when the name is not registered or the version is not
// semver; the version itself may come later.
func (r *Registry) SetPolicy(name string, p VersionPolicy) error {
	if p.exact != "" {
		if _, err := core.ParseVersion(p.exact); err != nil {
			return fmt.Errorf("policy of orchestration %s: %w", name, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	vs := r.orchestrations[name]
	if vs == nil {
		return fmt.Errorf("policy of orchestration %s: it is not registered", name)
	}
	vs.policy = p
	return nil
}

// Activities returns the names of the registered activities, sorted.
func (r *Registry) Activities() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.activities))
}

// Orchestrations returns the names of the registered orchestrations, sorted.
func (r *Registry) Orchestrations() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.orchestrations))
}

// Versions returns the registered versions of an orchestration, lowest first.
func (r *Registry) Versions(name string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []string
	if vs := r.orchestrations[name]; vs != nil {
		for _, v := range vs.list {
			out = append(out, v.version.String())
		}
	}
	return out
}

// resolver is the registry as the dispatcher sees it: with the activities of
// the runtime itself.
type resolver struct {
	*Registry
	system map[string]dispatch.ActivityHandler
}

func (r resolver) HasOrchestrations() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.orchestrations) > 0
}

func (r resolver) ResolveActivity(name string) (dispatch.ActivityHandler, bool) {
	if h, ok := r.system[name]; ok {
		return h, true
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	h, ok := r.activities[name]
	return h, ok
}

// ResolveOrchestration returns the code of an orchestration and its version,
// which is the exact one that is asked for, or with nil the one that the policy
// gives. It is for the runtime and for package durabletest; nobody else can run
// the code.
func (r *Registry) ResolveOrchestration(name string, version *string) (code replay.Handler, resolved string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	vs := r.orchestrations[name]
	if vs == nil {
		return nil, "", false
	}
	want := vs.policy.exact
	if version != nil {
		want = *version
	}
	if want == "" && version == nil {
		latest := vs.list[len(vs.list)-1]
		return latest.handler, latest.version.String(), true
	}
	v, err := core.ParseVersion(want)
	if err != nil {
		return nil, "", false
	}
	for _, have := range vs.list {
		if have.version.Compare(v) == 0 {
			return have.handler, have.version.String(), true
		}
	}
	return nil, "", false
}
