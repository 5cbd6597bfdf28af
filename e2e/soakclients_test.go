package e2e_test

import (
	"context"
	"errors"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// soakKeep is how many executions pruning keeps.
	soakKeep = 2
	// soakBulk is how many instances a bulk call takes.
	soakBulk = 8
)

// start keeps a number of instances going. Now and then a new one has the id of
// one that was deleted.
func (a *soakActor) start() {
	for !a.stopping() {
		a.pause(a.pace)
		n, free := a.ledger.alive()
		if n >= a.instances {
			continue
		}
		plan := soakPlan{Life: a.ledger.unique("life-"), Steps: 1 + a.rng.IntN(3), Executions: 1 + a.rng.IntN(4)}
		instance := plan.Life
		if len(free) > 0 && a.chance(30) {
			instance = free[a.rng.IntN(len(free))]
		}
		life := newSoakLife(plan, instance)
		a.enqueue("start", life.startItem(), life)
	}
}

// enqueue sends a message, which may begin a life.
func (a *soakActor) enqueue(op string, item core.WorkItem, lives ...*soakLife) {
	params := core.EnqueueForOrchestratorParams{Item: item}
	if a.chance(20) {
		params.Delay = time.Duration(a.rng.IntN(50)) * time.Millisecond
	}
	sends := a.ledger.send(time.Now(), item)
	a.ledger.bear(lives...)
	_, _, err := a.call(op, 0, func(ctx context.Context) error { return a.node.EnqueueForOrchestrator(ctx, params) })
	a.ledger.sent(sends, err == nil)
}

// raise sends events, queue messages and cancellations to instances that have
// begun, some of which end or are deleted at that moment.
func (a *soakActor) raise() {
	for !a.stopping() {
		a.pause(4 * a.pace)
		for _, v := range a.choose(1, func(v *soakLife) bool { return v.born && !v.ended }) {
			text := a.ledger.unique("message-")
			switch n := a.rng.IntN(10); {
			case n == 0:
				a.enqueue("cancel", core.CancelInstanceItem{Instance: v.instance, Reason: text})
			case n < 5:
				a.enqueue("raise event", core.ExternalRaisedItem{Instance: v.instance, Name: "event", Data: text})
			default:
				a.enqueue("send to queue", core.QueueMessageItem{Instance: v.instance, Name: "queue", Data: text})
			}
		}
	}
}

// delete deletes instances in every way that there is.
func (a *soakActor) delete() {
	admin := a.admin(a.node)
	for !a.stopping() {
		a.pause(20 * a.pace)
		switch a.rng.IntN(4) {
		case 0: // whatever it does
			for _, v := range a.doom(1, func(v *soakLife) bool { return !v.ended }) {
				a.deleteOne("delete by force", v, func(ctx context.Context) error {
					_, err := admin.DeleteInstance(ctx, core.DeleteInstanceParams{Instance: v.instance, Force: true})
					return err
				})
			}
		case 1: // which is refused as long as it runs
			for _, v := range a.doom(1, func(*soakLife) bool { return true }) {
				a.deleteOne("delete", v, func(ctx context.Context) error {
					_, err := admin.DeleteInstance(ctx, core.DeleteInstanceParams{Instance: v.instance})
					return err
				})
			}
		default:
			a.deleteBulk(admin, a.doom(soakBulk, func(v *soakLife) bool { return v.ended }))
		}
	}
}

func (a *soakActor) deleteOne(op string, v *soakLife, call func(context.Context) error) {
	note := a.ledger.deleting([]*soakLife{v})
	_, returned, err := a.call(op, 0, call, core.ErrStillRunning, core.ErrOrphan)
	note(returned, err == nil)
}

// deleteBulk deletes instances that have ended.
func (a *soakActor) deleteBulk(admin core.Admin, lives []*soakLife) {
	if len(lives) == 0 {
		return
	}
	filter := core.InstanceFilter{InstanceIDs: []string{}}
	for _, v := range lives {
		filter.InstanceIDs = append(filter.InstanceIDs, v.instance)
	}
	note := a.ledger.deleting(lives)
	var result *core.DeleteInstanceResult
	_, returned, err := a.call("delete bulk", 0, func(ctx context.Context) (err error) {
		result, err = admin.DeleteInstanceBulk(ctx, core.DeleteInstanceBulkParams{Filter: filter})
		return err
	})
	note(returned, err == nil)
	if err == nil && result.InstancesDeleted < uint64(len(lives)) {
		a.ledger.violation(soakRows, "%d of %d instances that had ended were deleted: %q", result.InstancesDeleted, len(lives), filter.InstanceIDs)
	}
}

// prune deletes old executions.
func (a *soakActor) prune() {
	admin := a.admin(a.node)
	options := core.PruneOptions{KeepLast: new(uint32(soakKeep))}
	for !a.stopping() {
		a.pause(10 * a.pace)
		if a.chance(30) {
			_, _, _ = a.call("prune bulk", 0, func(ctx context.Context) error {
				_, err := admin.PruneExecutionsBulk(ctx, core.PruneExecutionsBulkParams{Options: options})
				return err
			})
			continue
		}
		for _, v := range a.choose(1, func(v *soakLife) bool { return v.born && v.current > soakKeep }) {
			_, _, _ = a.call("prune", 0, func(ctx context.Context) error {
				_, err := admin.PruneExecutions(ctx, core.PruneExecutionsParams{Instance: v.instance, Options: options})
				return err
			}, core.ErrNotFound) // deleted meanwhile
		}
	}
}

// read looks at instances as clients and operators do.
func (a *soakActor) read() {
	admin := a.admin(a.node)
	for !a.stopping() {
		a.pause(10 * a.pace)
		for _, v := range a.choose(1, func(v *soakLife) bool { return v.born }) {
			_, _, _ = a.call("read history", 0, func(ctx context.Context) error {
				_, err := a.node.Read(ctx, core.ReadParams{Instance: v.instance})
				return err
			})
			_, _, _ = a.call("read info", 0, func(ctx context.Context) error {
				_, err := admin.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: v.instance})
				return err
			}, core.ErrNotFound)
			_, _, _ = a.call("read status", 0, func(ctx context.Context) error {
				_, err := a.node.GetCustomStatus(ctx, core.GetCustomStatusParams{Instance: v.instance})
				return err
			})
			_, _, _ = a.call("read values", 0, func(ctx context.Context) error {
				_, err := a.node.GetKVAllValues(ctx, core.GetKVAllValuesParams{Instance: v.instance})
				return err
			})
		}
		_, _, _ = a.call("read metrics", 0, func(ctx context.Context) error {
			_, err := admin.GetSystemMetrics(ctx)
			return err
		})
	}
}

// isRefusal reports whether an error is one of those.
func isRefusal(err error, refusals []error) bool {
	for _, r := range refusals {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}
