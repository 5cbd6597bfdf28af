package durable

import (
	"context"
	"log/slog"
)

// replaySafe drops records while the code is replaying.
type replaySafe struct {
	slog.Handler
	replaying func() bool
}

func (h replaySafe) Enabled(ctx context.Context, level slog.Level) bool {
	return !h.replaying() && h.Handler.Enabled(ctx, level)
}

func (h replaySafe) WithAttrs(attrs []slog.Attr) slog.Handler {
	return replaySafe{h.Handler.WithAttrs(attrs), h.replaying}
}

func (h replaySafe) WithGroup(name string) slog.Handler {
	return replaySafe{h.Handler.WithGroup(name), h.replaying}
}
