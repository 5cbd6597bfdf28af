package durabletest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
)

// coldRounds is how often [Shuffle] replays each prefix, warmRounds how often it
// then replays the whole, which costs a long history far less. Go iterates over a
// map of two from its first entry 7 times of 8: code that asks for two things in
// that order does the same in all 61 runs with a chance of 1 in 3,000, and in 11
// of them with one of 1 in 4.
const (
	coldRounds = 10
	warmRounds = 50
)

// Shuffle is [Run], and then replays what f ran: every execution of every
// instance from every turn on which a runtime could have to go on, ten times, and
// fifty times more in one go, at other times of the clock and in other orders of
// maps. The test fails when the code does not ask for exactly the same things with
// the same inputs each time. It finds what a single run does not show: code that
// looks at the clock, at random numbers or at the order of a map.
//
// The code is replayed as it is registered at the end of f, which should
// therefore not replace orchestrations.
func Shuffle(t *testing.T, reg *durable.Registry, o *durable.Options, f func(t *testing.T, env *Env)) {
	t.Helper()
	Run(t, reg, o, func(t *testing.T, env *Env) {
		f(t, env)
		env.Settle()
		executions, err := env.executions(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatalf("durabletest: read what ran: %v", err)
		}
		report := &Report{}
		for round := range coldRounds + warmRounds {
			time.Sleep(31*24*time.Hour + 5*time.Hour + 7*time.Minute + 11*time.Second + 13*time.Millisecond)
			for _, e := range executions {
				check(report, env.registry, &CheckOptions{StrictInputs: true, Exact: true}, round < coldRounds, fmt.Sprintf("replay %d", round+1), e)
			}
			if len(report.Differences) > 0 {
				break // the others say the same
			}
		}
		for _, d := range report.Differences {
			t.Errorf("the code does not repeat itself\n%s", d)
		}
	})
}

// executions reads everything that ran.
func (e *Env) executions(ctx context.Context) ([]recording.Execution, error) {
	admin, _ := core.Ability[core.AdminReader](e.Provider) // memprovider has it
	ids, err := admin.ListInstances(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	var all []recording.Execution
	for _, id := range ids {
		executions, err := e.export(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, executions...)
	}
	return all, nil
}

// export reads the executions of one instance.
func (e *Env) export(ctx context.Context, id string) ([]recording.Execution, error) {
	var b bytes.Buffer
	if err := e.Client.ExportHistory(ctx, &b, id, &durable.ExportOptions{AllExecutions: true}); err != nil {
		return nil, err
	}
	return recording.Read(&b)
}
