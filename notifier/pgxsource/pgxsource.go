package pgxsource

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/duroxide/duroxide-go/notifier"
)

const (
	// pingInterval is how long the connection may be silent before it has to
	// show that the server is there.
	pingInterval = 30 * time.Second
	pingTimeout  = 10 * time.Second
)

// Source makes connections of one configuration.
type Source struct {
	config  *pgx.ConnConfig
	prepare func(context.Context, *pgx.ConnConfig) error // may be nil
}

// New returns a source for a configuration, which is copied.
func New(config *pgx.ConnConfig) *Source {
	return &Source{config: config.Copy()}
}

// FromPool returns a source for the server of a pool. The pool's BeforeConnect
// is called for each connection, so that passwords that change keep working.
func FromPool(pool *pgxpool.Pool) *Source {
	config := pool.Config()
	return &Source{config: config.ConnConfig, prepare: config.BeforeConnect}
}

// Connect implements [notifier.Source].
func (s *Source) Connect(ctx context.Context) (notifier.Conn, error) {
	config := s.config.Copy()
	if s.prepare != nil {
		if err := s.prepare(ctx, config); err != nil {
			return nil, fmt.Errorf("prepare the connection: %w", err)
		}
	}
	// A handler of the caller would take the notifications.
	config.OnNotification = nil
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &conn{c}, nil
}

type conn struct{ c *pgx.Conn }

func (c *conn) Listen(ctx context.Context, channels ...string) error {
	for _, channel := range channels {
		if _, err := c.c.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
			return fmt.Errorf("listen on %s: %w", channel, err)
		}
	}
	return nil
}

func (c *conn) Wait(ctx context.Context) (notifier.Notification, error) {
	for {
		msg, err := c.waitUpTo(ctx, pingInterval)
		switch {
		case msg.Channel != "":
			// An error beside a notification comes again.
			return msg, nil
		case ctx.Err() != nil:
			return notifier.Notification{}, err
		case c.c.IsClosed():
			return notifier.Notification{}, err
		}
		// Only silence is left.
		if err := c.ping(ctx); err != nil {
			return notifier.Notification{}, fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

func (c *conn) waitUpTo(ctx context.Context, d time.Duration) (msg notifier.Notification, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	n, err := c.c.WaitForNotification(ctx)
	if n != nil {
		msg = notifier.Notification{Channel: n.Channel, Payload: n.Payload}
	}
	return msg, err
}

func (c *conn) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return c.c.Ping(ctx)
}

func (c *conn) Close(ctx context.Context) error { return c.c.Close(ctx) }
