package sqliteprovider

import "context"

// Exec runs a statement on the database of a provider.
func Exec(ctx context.Context, p *Provider, query string, args ...any) error {
	return p.write(ctx, "exec", func(t *tx) error {
		_, err := t.exec(query, args...)
		return err
	})
}

// QueryRow reads one row from the database of a provider.
func QueryRow(ctx context.Context, p *Provider, query string, args []any, dst ...any) (found bool, err error) {
	return p.readRow(ctx, "query", query, args, dst...)
}
