package sqliteprovider

import (
	"context"
	"database/sql"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetKVValue     = "get_kv_value"
	opGetKVAllValues = "get_kv_all_values"

	sqlSetKey = `
INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms) VALUES (?, ?, ?, ?)
    ON CONFLICT (instance_id, key) DO UPDATE
   SET value = excluded.value, last_updated_at_ms = excluded.last_updated_at_ms`
	sqlClearDelta = `
UPDATE kv_delta SET value = NULL, last_updated_at_ms = ?2 WHERE instance_id = ?1`
	sqlClearStored = `
INSERT INTO kv_delta (instance_id, key, value, last_updated_at_ms)
SELECT instance_id, key, NULL, ?2 FROM kv_store WHERE instance_id = ?1
    ON CONFLICT (instance_id, key) DO NOTHING`

	sqlMergeValues = `
INSERT INTO kv_store (instance_id, key, value, last_updated_at_ms)
SELECT instance_id, key, value, last_updated_at_ms FROM kv_delta WHERE instance_id = ? AND value IS NOT NULL
    ON CONFLICT (instance_id, key) DO UPDATE
   SET value = excluded.value, last_updated_at_ms = excluded.last_updated_at_ms`
	sqlMergeTombstones = `
DELETE FROM kv_store
 WHERE instance_id = ?1
   AND key IN (SELECT key FROM kv_delta WHERE instance_id = ?1 AND value IS NULL)`
	sqlDeleteDelta = `
DELETE FROM kv_delta WHERE instance_id = ?`

	// sqlLiveValue gives at most one row, whose value is NULL for a tombstone.
	sqlLiveValue = `
SELECT value FROM (
  SELECT value, 0 AS layer FROM kv_delta WHERE instance_id = ?1 AND key = ?2
  UNION ALL
  SELECT value, 1 FROM kv_store WHERE instance_id = ?1 AND key = ?2)
 ORDER BY layer
 LIMIT 1`
	sqlLiveValues = `
SELECT key, value FROM kv_delta WHERE instance_id = ?1 AND value IS NOT NULL
UNION ALL
SELECT s.key, s.value FROM kv_store s
 WHERE s.instance_id = ?1
   AND NOT EXISTS (SELECT 1 FROM kv_delta d WHERE d.instance_id = s.instance_id AND d.key = s.key)`
)

// applyKeyValues records the changes among the events in order.
func applyKeyValues(t *tx, instance string, events []core.Event) error {
	for i := range events {
		var err error
		switch d := events[i].Data.(type) {
		case core.KeyValueSet:
			_, err = t.exec(sqlSetKey, instance, d.Key, d.Value, int64(d.LastUpdatedAtMs))
		case core.KeyValueCleared:
			_, err = t.exec(sqlSetKey, instance, d.Key, nil, t.now)
		case core.KeyValuesCleared:
			if _, err = t.exec(sqlClearDelta, instance, t.now); err == nil {
				_, err = t.exec(sqlClearStored, instance, t.now)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mergeKeyValues makes the changes of an execution that ends part of the store.
func mergeKeyValues(t *tx, instance string) error {
	for _, query := range []string{sqlMergeValues, sqlMergeTombstones, sqlDeleteDelta} {
		if _, err := t.exec(query, instance); err != nil {
			return err
		}
	}
	return nil
}

// GetKVValue implements [core.KVStore].
func (p *Provider) GetKVValue(ctx context.Context, a core.GetKVValueParams) (value *string, err error) {
	err = p.read(ctx, opGetKVValue, func(ctx context.Context, c *conn) error {
		_, err := c.row(ctx, sqlLiveValue, []any{a.Instance, a.Key}, &value)
		return err
	})
	return value, err
}

// GetKVAllValues implements [core.KVStore].
func (p *Provider) GetKVAllValues(ctx context.Context, a core.GetKVAllValuesParams) (map[string]string, error) {
	var values map[string]string
	err := p.read(ctx, opGetKVAllValues, func(ctx context.Context, c *conn) error {
		values = map[string]string{}
		return c.rows(ctx, sqlLiveValues, []any{a.Instance}, func(rows *sql.Rows) error {
			var key, value string
			err := rows.Scan(&key, &value)
			values[key] = value
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}
