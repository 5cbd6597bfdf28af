package pgprovider

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opWatchInstances    = "watch_instances"
	opGetInstanceStates = "get_instance_states"

	// sqlWait makes the database tell those who wait. Nothing is lost with it when
	// the server restarts, because then nobody listens any more either.
	sqlWait query = `
SELECT set_config('synchronous_commit', 'off', true), @.dxgo_wait($1::bigint)::text`
	sqlGetInstanceStates query = `
SELECT i.instance_id, i.current_execution_id, coalesce(e.status, 'Unknown'), e.output,
       i.custom_status, i.custom_status_version
  FROM @.instances i
  LEFT JOIN @.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
 WHERE i.instance_id = ANY ($1::text[])`

	// waitFor is for how long the database is made to tell, and waitAgain how much
	// of it is left when it is made to do so again.
	waitFor   = 2 * time.Minute
	waitAgain = time.Minute
	// waitRetry is the pause after a failure of that.
	waitRetry = time.Second

	// longID is how many characters of an id a notification has at most.
	longID = 200
)

// waiting is what those who wait for instances share.
type waiting struct {
	hints core.InstanceHints
	mu    sync.Mutex
	until time.Time // the database tells until then
}

// told passes a notification on.
func (w *waiting) told(instance string) {
	if utf8.RuneCountInString(instance) >= longID {
		instance = "" // or one that begins like this
	}
	w.hints.Tell(core.InstanceHint{Instance: instance})
}

// WatchInstances implements [core.InstanceWatcher]. It is blind while the provider
// does not listen: without long polling, without the migration that notifies of
// instances, and as long as the connection is broken.
func (p *Provider) WatchInstances(ctx context.Context, f func(core.InstanceHint)) error {
	defer p.waiting.hints.Add(f)()
	for {
		var listening bool
		var changed <-chan struct{}
		pause := waitFor - waitAgain
		if p.notifier != nil && p.version >= waitingVersion {
			listening, changed = p.notifier.Listening()
		}
		if listening {
			if err := p.beTold(ctx); err != nil {
				p.log.DebugContext(ctx, "cannot be told of instances", "error", err)
				listening, pause = false, waitRetry
			}
		}
		f(core.InstanceHint{Blind: !listening})
		timer := p.clock.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C():
		case <-ctx.Done():
		case <-p.closing.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.checkOpen(opWatchInstances); err != nil {
			return err
		}
	}
}

// beTold makes the database tell, unless it does so for a while to come.
func (p *Provider) beTold(ctx context.Context) error {
	w := &p.waiting
	now := time.Now()
	w.mu.Lock()
	enough := w.until.Sub(now) > waitAgain
	w.mu.Unlock()
	if enough {
		return nil
	}
	err := p.run(ctx, call{op: opWatchInstances, query: sqlWait, args: []any{waitFor.Milliseconds()}})
	if err == nil {
		w.mu.Lock()
		w.until = now.Add(waitFor)
		w.mu.Unlock()
	}
	return err
}

// GetInstanceStates implements [core.InstanceStateReader] with one query.
func (p *Provider) GetInstanceStates(ctx context.Context, params core.GetInstanceStatesParams) ([]core.InstanceState, error) {
	if err := checkList("Instances", params.Instances); err != nil {
		return nil, classify(ctx, opGetInstanceStates, err)
	}
	var states []core.InstanceState
	err := p.run(ctx, call{
		op: opGetInstanceStates, query: sqlGetInstanceStates, args: []any{params.Instances},
		read: func(rows pgx.Rows) error {
			for rows.Next() {
				var s core.InstanceState
				var execution, version int64
				if err := rows.Scan(&s.InstanceID, &execution, &s.Status, &s.Output, &s.CustomStatus, &version); err != nil {
					return err
				}
				s.ExecutionID, s.CustomStatusVersion = uint64(execution), uint64(version)
				states = append(states, s)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}
