package e2e_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	soakPoll = 250 * time.Millisecond
	// soakLease is long enough for a machine that is busy with other things.
	soakLease = 5 * time.Second
	// soakShortLease is for claims whose owner stalls or has to renew.
	soakShortLease = 1500 * time.Millisecond
	soakIdle       = time.Minute
	// soakSessionLease is long enough to be renewed, and short enough to change hands.
	soakSessionLease = time.Second
)

// actor is one goroutine of the soak with its own random numbers.
type soakActor struct {
	*soakRun
	node *soakNode
	rng  *rand.Rand
}

// chance is true with a probability of percent in a hundred.
func (a *soakActor) chance(percent int) bool { return a.rng.IntN(100) < percent }

// pause waits for a random time up to a limit, unless the run ends.
func (a *soakActor) pause(limit time.Duration) {
	select {
	case <-time.After(time.Duration(a.rng.Int64N(int64(limit)) + 1)):
	case <-a.running.Done():
	}
}

// sleep waits for all of that time, unless the run ends.
func (a *soakActor) sleep(d time.Duration) {
	select {
	case <-time.After(max(d, 0)):
	case <-a.running.Done():
	}
}

// manner is what becomes of a claim.
type soakManner int

const (
	soakDiligent soakManner = iota // does it
	soakSlow                       // renews a short lease until it is done
	soakStalling                   // comes back when a short lease is over
	soakGivingUp                   // gives it back
)

func (a *soakActor) manner() soakManner {
	if a.stopping() {
		return soakDiligent
	}
	switch n := a.rng.IntN(100); {
	case n < 2:
		return soakSlow
	case n < 4:
		return soakStalling
	case n < 10:
		return soakGivingUp
	}
	return soakDiligent
}

func (m soakManner) lease() time.Duration {
	if m == soakSlow || m == soakStalling {
		return soakShortLease
	}
	return soakLease
}

// fetchTurns runs the turns of instances until the run ends.
func (a *soakActor) fetchTurns() {
	for a.running.Err() == nil {
		manner := a.manner()
		params := core.FetchOrchestrationItemParams{LockTimeout: manner.lease(), PollTimeout: soakPoll}
		if a.chance(50) {
			params.Filter = new(core.UpTo(core.MustParseVersion(soakStamp)))
		}
		var item *core.OrchestrationItem
		began, returned, err := a.call("fetch turn", soakPoll, func(ctx context.Context) (err error) {
			item, err = a.node.FetchOrchestrationItem(ctx, params)
			return err
		})
		if err != nil || item == nil {
			continue
		}
		var keys []string
		for _, m := range item.Messages {
			keys = append(keys, soakKey(m))
		}
		c := &soakClaim{
			what: item.Instance, instance: item.Instance, node: a.node, token: item.LockToken, began: began, returned: returned,
		}
		a.ledger.claimed(c, params.LockTimeout, keys, item.AttemptCount)
		a.turn(c, manner, item)
		a.pause(a.pace)
	}
}

// turn runs one turn.
func (a *soakActor) turn(c *soakClaim, manner soakManner, item *core.OrchestrationItem) {
	turn := newSoakTurn(a.ledger, a.rng, a.node.clock.Now(), item)
	if turn.wrong != "" {
		a.ledger.violation(soakHistory, "%s: %s", item.Instance, turn.wrong)
	}
	renew, abandon := a.node.RenewOrchestrationItemLock, a.node.AbandonOrchestrationItem
	if !a.mayFinish(c, manner, "turn", renew, abandon) {
		return
	}
	if turn.wait {
		a.abandon(c, "turn", abandon, core.AbandonParams{LockToken: c.token, Delay: 50 * time.Millisecond})
		return
	}
	a.ledger.begin(c, soakAcking, false)
	sends := a.ledger.send(time.Now(), append(turn.ack.OrchestratorItems, turn.ack.WorkerItems...)...)
	a.ledger.bear(turn.lives...)
	cancels := a.ledger.cancel(turn.cancels)
	began, returned, err := a.call("ack turn", 0, func(ctx context.Context) error {
		return a.node.AckOrchestrationItem(ctx, turn.ack)
	})
	if lost := errors.Is(err, core.ErrLockLost); lost || err == nil {
		a.ledger.acked(c, began, returned, lost, sends, cancels)
		if !lost {
			a.ledger.recorded(turn)
		}
	}
}

// mayFinish deals with a claim until there is only the outcome left to report. It
// returns false if that is not for this owner any more.
func (a *soakActor) mayFinish(c *soakClaim, manner soakManner, kind string,
	renew func(context.Context, core.RenewLockParams) error, abandon func(context.Context, core.AbandonParams) error,
) bool {
	switch manner {
	case soakSlow:
		for range 4 {
			a.sleep(soakShortLease / 3)
			if !a.renew(c, kind, renew) {
				return false
			}
		}
	case soakStalling:
		// About half of them come in time for those whose clock is behind.
		a.sleep(time.Until(c.until))
		a.pause(2 * a.ledger.maxSkew)
		if a.chance(30) {
			return a.renew(c, kind, renew)
		}
		if a.chance(30) {
			a.abandon(c, kind, abandon, core.AbandonParams{LockToken: c.token, IgnoreAttempt: a.chance(50)})
			return false
		}
	case soakGivingUp:
		p := core.AbandonParams{LockToken: c.token, IgnoreAttempt: a.chance(50)}
		if a.chance(50) {
			p.Delay = time.Duration(1+a.rng.IntN(50)) * time.Millisecond
		}
		a.abandon(c, kind, abandon, p)
		return false
	case soakDiligent:
		if a.chance(10) {
			return a.renew(c, kind, renew)
		}
	}
	return true
}

func (a *soakActor) renew(c *soakClaim, kind string, renew func(context.Context, core.RenewLockParams) error) bool {
	began, returned, err := a.call("renew "+kind, 0, func(ctx context.Context) error {
		return renew(ctx, core.RenewLockParams{LockToken: c.token, ExtendFor: soakShortLease})
	})
	lost := errors.Is(err, core.ErrLockLost)
	if lost || err == nil {
		a.ledger.renewed(c, began, returned, soakShortLease, lost)
	}
	return err == nil
}

func (a *soakActor) abandon(c *soakClaim, kind string, abandon func(context.Context, core.AbandonParams) error, p core.AbandonParams) {
	a.ledger.begin(c, soakAbandoning, p.IgnoreAttempt)
	began, returned, err := a.call("abandon "+kind, 0, func(ctx context.Context) error { return abandon(ctx, p) })
	if lost := errors.Is(err, core.ErrLockLost); lost || err == nil {
		a.ledger.abandoned(c, began, returned, lost)
	}
}

// fetchWork runs activities until the run ends.
func (a *soakActor) fetchWork(sessions bool) {
	for a.running.Err() == nil {
		manner := a.manner()
		params := core.FetchWorkItemParams{LockTimeout: manner.lease(), PollTimeout: soakPoll}
		if sessions {
			params.Session = &core.SessionFetchConfig{OwnerID: a.node.name, LockTimeout: soakSessionLease}
		}
		var item *core.LockedWorkItem
		began, returned, err := a.call("fetch activity", soakPoll, func(ctx context.Context) (err error) {
			item, err = a.node.FetchWorkItem(ctx, params)
			return err
		})
		if err != nil || item == nil {
			continue
		}
		work := item.Item.(core.ActivityExecuteItem)
		key := soakKey(work)
		c := &soakClaim{what: key, instance: work.Instance, node: a.node, token: item.LockToken, began: began, returned: returned}
		a.ledger.claimed(c, params.LockTimeout, []string{key}, item.AttemptCount)
		a.work(c, manner, work)
		a.pause(a.pace)
	}
}

// work runs one activity.
func (a *soakActor) work(c *soakClaim, manner soakManner, work core.ActivityExecuteItem) {
	if !a.mayFinish(c, manner, "activity", a.node.RenewWorkItemLock, a.node.AbandonWorkItem) {
		return
	}
	var completion core.WorkItem = core.ActivityCompletedItem{
		Instance: work.Instance, ExecutionID: work.ExecutionID, ID: work.ID, Result: work.Input,
	}
	if a.chance(5) {
		completion = core.ActivityFailedItem{
			Instance: work.Instance, ExecutionID: work.ExecutionID, ID: work.ID,
			Details: core.ApplicationError{Kind: core.KindActivityFailed, Message: work.Input},
		}
	}
	a.ledger.begin(c, soakAcking, false)
	sends := a.ledger.send(time.Now(), completion)
	began, returned, err := a.call("ack activity", 0, func(ctx context.Context) error {
		return a.node.AckWorkItem(ctx, core.AckWorkItemParams{LockToken: c.token, Completion: completion})
	})
	if lost := errors.Is(err, core.ErrLockLost); lost || err == nil {
		a.ledger.acked(c, began, returned, lost, sends, nil)
	}
}

// keepSessions renews the sessions of a node and forgets those that ran out.
func (a *soakActor) keepSessions() {
	for !a.stopping() {
		_, _, _ = a.call("renew sessions", 0, func(ctx context.Context) error {
			_, err := a.node.RenewSessionLock(ctx, core.RenewSessionLockParams{
				OwnerIDs: []string{a.node.name}, ExtendFor: soakSessionLease, IdleTimeout: soakIdle,
			})
			return err
		})
		if a.chance(30) {
			_, _, _ = a.call("clean up sessions", 0, func(ctx context.Context) error {
				_, err := a.node.CleanupOrphanedSessions(ctx, core.CleanupOrphanedSessionsParams{IdleTimeout: soakIdle})
				return err
			})
		}
		a.pause(soakSessionLease)
	}
}
