package e2e_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// prune deletes old executions of an instance.
func (s *store) prune(t *testing.T, id string, o core.PruneOptions) *core.PruneResult {
	t.Helper()
	result, err := s.admin.PruneExecutions(s.ctx, core.PruneExecutionsParams{Instance: id, Options: o})
	must(t, err)
	return result
}

// chain continues as new until it is at the execution of its input, and ends
// with "over", or waits for a message "end" if the number is negative.
const chain = durable.Orchestration[int, string]("chain")

func chainCode(ctx *durable.Context, n int) (string, error) {
	if ctx.ExecutionID() < uint64(max(n, -n)) {
		return "", chain.ContinueAsNew(n)
	}
	if n < 0 {
		waits(ctx)
		return reads(ctx, "end")
	}
	return "over", nil
}

// startChain starts one and waits until it has ended, or waits.
func (s *store) startChain(t *testing.T, id string, n int) {
	t.Helper()
	run, err := chain.Start(s.ctx, s.client, id, n)
	must(t, err)
	if n < 0 {
		s.whenItWaits(t, id)
		return
	}
	_, err = run.Wait(s.ctx)
	must(t, err)
}

// Of a chain go the oldest executions with their histories; the result stays.
func TestPruneChain(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(chain.With(chainCode))...)
		s.startChain(t, "chain", 5)
		kept, err := s.client.ExecutionHistory(s.ctx, "chain", 4)
		must(t, err)
		equal(t, "pruned", &core.PruneResult{InstancesProcessed: 1}, s.prune(t, "chain", core.PruneOptions{KeepLast: new(uint32(7))}))
		events := 0
		for n := range 3 {
			history, err := s.client.ExecutionHistory(s.ctx, "chain", uint64(n+1))
			must(t, err)
			events += len(history)
		}
		result := s.prune(t, "chain", core.PruneOptions{KeepLast: new(uint32(2))})
		equal(t, "pruned", &core.PruneResult{InstancesProcessed: 1, ExecutionsDeleted: 3, EventsDeleted: uint64(events)}, result)
		equal(t, "executions", []uint64{4, 5}, s.executions(t, "chain"))
		for n := range 3 {
			history, err := s.client.ExecutionHistory(s.ctx, "chain", uint64(n+1))
			must(t, err)
			equal(t, "events of a pruned execution", 0, len(history))
		}
		history, err := s.client.ExecutionHistory(s.ctx, "chain", 4)
		must(t, err)
		equal(t, "history that was kept", kept, history)
		out, err := chain.Run(s.client, "chain").Wait(s.ctx)
		must(t, err)
		equal(t, "output", "over", out)
	})
}

// Whatever is asked for, the current execution stays, and one that runs goes on.
func TestPruneIsSafe(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(chain.With(chainCode))...)
		for name, keep := range map[string]*uint32{"nothing": nil, "0": new(uint32(0)), "1": new(uint32(1))} {
			for kind, sign := range map[string]int{"ended": 1, "running": -1} {
				for _, n := range []int{1, 4} {
					id := fmt.Sprint(kind, " with ", n, ", told ", name)
					s.startChain(t, id, sign*n)
					result := s.prune(t, id, core.PruneOptions{KeepLast: keep})
					equal(t, id+": executions deleted", uint64(n-1), result.ExecutionsDeleted)
					equal(t, id, []uint64{uint64(n)}, s.executions(t, id))
					want := "over"
					if sign < 0 {
						want = "on"
						sends("end=on")(t, s, id)
					}
					out, err := chain.Run(s.client, id).Wait(s.ctx)
					must(t, err)
					equal(t, id+": output", want, out)
				}
			}
		}
	})
}

// Many instances are pruned at once, those that run too, and no other.
func TestPruneMany(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(chain.With(chainCode))...)
		pruned := func(f core.InstanceFilter, o core.PruneOptions, instances, executions uint64) {
			t.Helper()
			result, err := s.admin.PruneExecutionsBulk(s.ctx, core.PruneExecutionsBulkParams{Filter: f, Options: o})
			must(t, err)
			equal(t, "instances processed", instances, result.InstancesProcessed)
			equal(t, "executions deleted", executions, result.ExecutionsDeleted)
		}
		s.startChain(t, "a", 4)
		s.startChain(t, "b", 4)
		s.startChain(t, "c", 4)
		s.startChain(t, "running", -4)
		pruned(core.InstanceFilter{InstanceIDs: []string{}}, core.PruneOptions{}, 0, 0)
		pruned(core.InstanceFilter{InstanceIDs: []string{"a", "b", "nobody"}}, core.PruneOptions{KeepLast: new(uint32(3))}, 2, 2)
		equal(t, "a", []uint64{2, 3, 4}, s.executions(t, "a"))
		equal(t, "c", []uint64{1, 2, 3, 4}, s.executions(t, "c"))
		pruned(core.InstanceFilter{InstanceIDs: []string{"running"}}, core.PruneOptions{}, 1, 3)
		equal(t, "running", []uint64{4}, s.executions(t, "running"))
		equal(t, "status", core.StatusRunning, s.info(t, "running").Status)
		pruned(core.InstanceFilter{}, core.PruneOptions{KeepLast: new(uint32(1))}, 4, 2+2+3)
		for _, id := range []string{"a", "b", "c", "running"} {
			equal(t, id, []uint64{4}, s.executions(t, id))
		}
		sends("end=on")(t, s, "running")
		out, err := chain.Run(s.client, "running").Wait(s.ctx)
		must(t, err)
		equal(t, "output", "on", out)
	})
}

// A chain goes on while somebody prunes it all the time, and loses nothing that
// it carries along.
func TestPruneWhileItContinues(t *testing.T) {
	const (
		counting = durable.Orchestration[int, int]("counting")
		goal     = 40
	)
	onEachStore(t, func(t *testing.T, s *store) {
		runOn(t, s.p, nil, cast(counting.With(func(ctx *durable.Context, sum int) (int, error) {
			nextTurn(ctx)
			n := increment(ctx, "n")
			if n == 10 {
				waits(ctx) // some executions are there to prune
			}
			if sum += n; n < goal {
				return 0, counting.ContinueAsNew(sum)
			}
			return sum, nil
		}))...)
		run, err := counting.Start(s.ctx, s.client, "i", 0)
		must(t, err)
		s.whenItWaits(t, "i")
		deleted := uint64(0)
		prune := func() { deleted += s.prune(t, "i", core.PruneOptions{}).ExecutionsDeleted }
		until(t, s.ctx, "it does not end", func() bool {
			prune()
			status, err := s.client.Status(s.ctx, "i")
			must(t, err)
			return status.Done()
		})
		sum, err := run.Wait(s.ctx)
		must(t, err)
		equal(t, "sum", goal*(goal+1)/2, sum)
		prune()
		equal(t, "executions deleted", goal-1, deleted)
		equal(t, "executions", []uint64{goal}, s.executions(t, "i"))
		leaves(map[string]string{"n": fmt.Sprint(goal)})(t, s, "i")
	})
}
