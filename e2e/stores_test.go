package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// store is what the behaviour of an engine may not depend on: where it keeps its
// state. A test uses one for all of its instances.
type store struct {
	ctx    context.Context // ends after patience
	p      core.Provider
	admin  core.Admin
	client *durable.Client
}

// onEachStore runs a test in memory and on PostgreSQL.
func onEachStore(t *testing.T, f func(t *testing.T, s *store)) {
	t.Helper()
	t.Parallel()
	t.Run("memprovider", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		p := memprovider.New(nil)
		f(t, &store{ctx, p, p, durable.NewClient(p, nil)})
	})
	t.Run("pgprovider", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.provider(t)
		f(t, &store{w.ctx, p, p, durable.NewClient(p, nil)})
	})
}

// A flow is an orchestration and what must come of it.
type flow struct {
	code func(ctx *durable.Context, id string) (string, error)
	want string // the output, or
	fail string // a part of the failure
	// meanwhile is what clients do while it runs, end what they see after it.
	meanwhile, end func(t *testing.T, s *store, id string)
}

// runFlows runs all flows at the same time on one runtime. The name of a flow is
// that of its orchestration and its only instance.
func (s *store) runFlows(t *testing.T, flows map[string]flow, more ...durable.Registration) {
	t.Helper()
	s.runFlowsWith(t, nil, flows, more...)
}

// runFlowsWith is runFlows on a runtime with options.
func (s *store) runFlowsWith(t *testing.T, o *durable.Options, flows map[string]flow, more ...durable.Registration) {
	t.Helper()
	for name, f := range flows {
		more = append(more, durable.Orchestration[string, string](name).With(f.code))
	}
	runOn(t, s.p, o, more...)
	for name, f := range flows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// From when it runs: it may have waited for other tests.
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := &store{ctx, s.p, s.admin, s.client}
			run, err := durable.Orchestration[string, string](name).Start(s.ctx, s.client, name, name)
			must(t, err)
			if f.meanwhile != nil {
				f.meanwhile(t, s, name)
			}
			out, err := run.Wait(s.ctx)
			var failed *durable.RunError
			switch {
			case f.fail == "":
				must(t, err)
				equal(t, "output", f.want, out)
			case !errors.As(err, &failed) || !strings.Contains(err.Error(), f.fail):
				t.Errorf("%v, want a failure with %q", err, f.fail)
			}
			if f.end != nil {
				f.end(t, s, name)
			}
		})
	}
}

// relay takes a turn off: what comes after it is another turn.
const relay = durable.Activity[string, string]("relay")

func relaying() durable.Registration {
	return relay.With(func(_ context.Context, s string) (string, error) { return s, nil })
}

func nextTurn(ctx *durable.Context) { _, _ = relay.Call(ctx, "") }
