package sqliteprovider

import (
	"context"
	"database/sql"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// Both find the oldest activity that is visible at ?1, not locked, and not
	// bound to the session of another owner than ?2; NULL stands for a fetch
	// that takes none that is bound. The plus keeps the planner from collecting
	// all that is visible in order to sort it.
	sqlOldestOfAll = `
SELECT w.id
  FROM worker_queue w
 WHERE +w.visible_at <= ?1
   AND (w.lock_token IS NULL OR w.locked_until <= ?1)
   AND (w.session_id IS NULL OR (?2 IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM sessions s
           WHERE s.session_id = w.session_id AND s.locked_until > ?1 AND s.worker_id <> ?2)))
 ORDER BY w.id
 LIMIT 1`

	// sqlOldestOfTags takes the tags ?3 to ?8, of which NULL is none. The index
	// gives the rows of each in the order of their ids.
	sqlOldestOfTags = `
WITH wanted (tag) AS (SELECT ?3 UNION SELECT ?4 UNION SELECT ?5 UNION SELECT ?6 UNION SELECT ?7 UNION SELECT ?8)
SELECT min((
  SELECT w.id
    FROM worker_queue w
   WHERE w.tag IS wanted.tag
     AND +w.visible_at <= ?1
     AND (w.lock_token IS NULL OR w.locked_until <= ?1)
     AND (w.session_id IS NULL OR (?2 IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM sessions s
             WHERE s.session_id = w.session_id AND s.locked_until > ?1 AND s.worker_id <> ?2)))
   ORDER BY w.id
   LIMIT 1))
  FROM wanted`

	// sqlWorkDue is the next time at which an activity becomes visible, or a
	// lock of one or of a session ends, by itself.
	sqlWorkDue = `
SELECT min(due) FROM (
  SELECT min(visible_at) AS due FROM worker_queue WHERE visible_at > ?1
  UNION ALL
  SELECT min(locked_until) FROM worker_queue WHERE lock_token IS NOT NULL AND locked_until > ?1
  UNION ALL
  SELECT min(locked_until) FROM sessions WHERE locked_until > ?1)`
)

// A selection says which activities a fetch takes.
type selection struct {
	query string
	// args are those of the query without the first, which is the time.
	args []any
}

func newSelection(a *core.FetchWorkItemParams) selection {
	var owner any
	if a.Session != nil {
		owner = a.Session.OwnerID
	}
	if a.Tags.Mode == core.TagsAny {
		return selection{sqlOldestOfAll, []any{owner}}
	}
	var tags []any
	if a.Tags.Matches(nil) {
		tags = append(tags, nil)
	}
	seen := map[string]bool{} // the limit is one of distinct tags
	for _, tag := range a.Tags.Tags {
		if !seen[tag] {
			seen[tag] = true
			tags = append(tags, tag)
		}
	}
	for len(tags) < core.MaxWorkerTags+1 {
		tags = append(tags, tags[0])
	}
	return selection{sqlOldestOfTags, append([]any{owner}, tags...)}
}

// oldest returns the id of the oldest activity of the selection.
func (s *selection) oldest(ctx context.Context, c *conn, now int64) (id int64, found bool, err error) {
	var row sql.NullInt64
	_, err = c.row(ctx, s.query, append([]any{now}, s.args...), &row)
	return row.Int64, row.Valid, err
}
