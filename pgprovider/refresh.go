package pgprovider

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/notifier"
)

const (
	opRefresh = "refresh"

	// refreshLimit bounds each list of due times.
	refreshLimit = 1000

	// sqlRefresh lists, for both queues, when unlocked rows become visible and
	// when locks expire. Of what is due already one row is enough. Sessions
	// count too: their activities are free for others when they expire. The
	// conditions compare the columns themselves, so that indexes serve them.
	sqlRefresh query = `
WITH t AS (SELECT to_timestamp($1::bigint / 1000.0) AS now, to_timestamp($2::bigint / 1000.0) AS until)
(SELECT 0, ceil(extract(epoch FROM q.visible_at) * 1000)::bigint FROM @.orchestrator_queue q
  WHERE q.visible_at <= (SELECT now FROM t) AND q.lock_token IS NULL LIMIT 1)
UNION ALL
(SELECT 1, ceil(extract(epoch FROM q.visible_at) * 1000)::bigint FROM @.orchestrator_queue q
  WHERE q.visible_at > (SELECT now FROM t) AND q.visible_at <= (SELECT until FROM t) AND q.lock_token IS NULL
  ORDER BY q.visible_at LIMIT $3::integer)
UNION ALL
(SELECT 0, l.locked_until FROM @.instance_locks l WHERE l.locked_until <= $1::bigint LIMIT 1)
UNION ALL
(SELECT 2, l.locked_until FROM @.instance_locks l
  WHERE l.locked_until > $1::bigint AND l.locked_until <= $2::bigint
  ORDER BY l.locked_until LIMIT $3::integer)
UNION ALL
(SELECT 3, ceil(extract(epoch FROM q.visible_at) * 1000)::bigint FROM @.worker_queue q
  WHERE q.visible_at <= (SELECT now FROM t) AND (q.lock_token IS NULL OR q.locked_until <= $1::bigint) LIMIT 1)
UNION ALL
(SELECT 4, ceil(extract(epoch FROM q.visible_at) * 1000)::bigint FROM @.worker_queue q
  WHERE q.visible_at > (SELECT now FROM t) AND q.visible_at <= (SELECT until FROM t) AND q.lock_token IS NULL
  ORDER BY q.visible_at LIMIT $3::integer)
UNION ALL
(SELECT 5, q.locked_until FROM @.worker_queue q
  WHERE q.lock_token IS NOT NULL AND q.locked_until > $1::bigint AND q.locked_until <= $2::bigint
  ORDER BY q.locked_until LIMIT $3::integer)
UNION ALL
(SELECT 6, s.locked_until FROM @.sessions s
  WHERE s.locked_until > $1::bigint AND s.locked_until <= $2::bigint
  ORDER BY s.locked_until LIMIT $3::integer)`

	// sqlDueTimes gives the same lists from the schema's own function, whose
	// statements are served by indexes that the shared schema does not have.
	sqlDueTimes query = `
SELECT CASE d.out_queue WHEN 'orch' THEN 0 ELSE 3 END
       + CASE d.out_kind WHEN 'ready' THEN 0 WHEN 'visible' THEN 1 WHEN 'lease' THEN 2 ELSE 3 END,
       d.out_due_ms
  FROM @.dxgo_due_times($1::bigint, $2::bigint, $3::integer) d`

	// firstWorkerList is the first of the lists that is about workers.
	firstWorkerList = 3
	refreshLists    = 7
)

// refresher looks ahead for the notifier.
type refresher struct{ p *Provider }

// Refresh implements [notifier.Refresher].
func (r refresher) Refresh(ctx context.Context, now, until time.Time) (notifier.Due, error) {
	var due notifier.Due
	var count [refreshLists]int
	look := sqlRefresh
	if r.p.version >= dueTimesVersion {
		look = sqlDueTimes
	}
	err := r.p.run(ctx, call{
		op: opRefresh, query: look, args: []any{now.UnixMilli(), until.UnixMilli(), int32(refreshLimit)},
		read: func(rows pgx.Rows) error {
			for rows.Next() {
				var list int32
				var ms int64
				if err := rows.Scan(&list, &ms); err != nil {
					return err
				}
				at := time.UnixMilli(ms)
				if list < firstWorkerList {
					due.Orchestrator = append(due.Orchestrator, at)
				} else {
					due.Worker = append(due.Worker, at)
				}
				// A full list ends early; the next refresh goes on from there.
				if count[list]++; count[list] == refreshLimit && (due.Until.IsZero() || at.Before(due.Until)) {
					due.Until = at
				}
			}
			return nil
		},
	})
	return due, err
}
