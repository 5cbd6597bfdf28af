package pgprovider

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opGetKVValue     = "get_kv_value"
	opGetKVAllValues = "get_kv_all_values"

	sqlGetKVValue query = `
SELECT out_value, out_found FROM @.get_kv_value($1::text, $2::text)`
	sqlGetKVAllValues query = `
SELECT out_key, out_value FROM @.get_kv_all_values($1::text)`
)

// GetKVValue implements [core.KVStore].
func (p *Provider) GetKVValue(ctx context.Context, params core.GetKVValueParams) (*string, error) {
	if err := checkTexts("Instance", params.Instance, "Key", params.Key); err != nil {
		return nil, classify(ctx, opGetKVValue, err)
	}
	var value *string
	var found bool
	err := p.run(ctx, call{
		op: opGetKVValue, query: sqlGetKVValue,
		args: []any{params.Instance, params.Key}, read: exactlyOne(&value, &found),
	})
	if err != nil || !found {
		return nil, err
	}
	return value, nil
}

// GetKVAllValues implements [core.KVStore].
func (p *Provider) GetKVAllValues(ctx context.Context, params core.GetKVAllValuesParams) (map[string]string, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opGetKVAllValues, err)
	}
	values := map[string]string{}
	err := p.run(ctx, call{
		op: opGetKVAllValues, query: sqlGetKVAllValues, args: []any{params.Instance},
		read: func(rows pgx.Rows) error {
			for rows.Next() {
				var key, value string
				if err := rows.Scan(&key, &value); err != nil {
					return err
				}
				values[key] = value
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}
