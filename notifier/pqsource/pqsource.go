package pqsource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/duroxide/duroxide-go/notifier"
)

const (
	// connectTimeout is put into connection strings without one, because lib/pq
	// does not look at the context while it connects.
	connectTimeout = "10"
	// pingInterval is how long the connection may be silent before it has to
	// show that the server is there.
	pingInterval = 30 * time.Second
	pingTimeout  = 10 * time.Second
)

// Source makes connections to one server.
type Source struct{ dsn string }

// New returns a source for a connection string of lib/pq. The time to connect
// is bounded by its connect_timeout, 10 s by default.
func New(dsn string) *Source {
	if !strings.Contains(dsn, "connect_timeout") {
		switch {
		case !strings.Contains(dsn, "://"):
			dsn += " connect_timeout=" + connectTimeout
		case strings.Contains(dsn, "?"):
			dsn += "&connect_timeout=" + connectTimeout
		default:
			dsn += "?connect_timeout=" + connectTimeout
		}
	}
	return &Source{dsn}
}

// Connect implements [notifier.Source]. It does not use lib/pq's own Listener,
// which hides outages.
func (s *Source) Connect(ctx context.Context) (notifier.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	messages := make(chan *pq.Notification, 16)
	l, err := pq.NewListenerConn(s.dsn, messages)
	if err != nil {
		return nil, err
	}
	return &conn{l, messages}, nil
}

type conn struct {
	l        *pq.ListenerConn
	messages chan *pq.Notification
}

func (c *conn) Listen(ctx context.Context, channels ...string) error {
	for _, channel := range channels {
		if err := c.bounded(ctx, func() error {
			_, err := c.l.Listen(channel)
			return err
		}); err != nil {
			return fmt.Errorf("listen on %s: %w", channel, err)
		}
	}
	return nil
}

func (c *conn) Wait(ctx context.Context) (notifier.Notification, error) {
	silence := time.NewTimer(pingInterval)
	defer silence.Stop()
	for {
		select {
		case msg, ok := <-c.messages:
			if !ok {
				return notifier.Notification{}, c.reason()
			}
			return notifier.Notification{Channel: msg.Channel, Payload: msg.Extra}, nil
		case <-ctx.Done():
			return notifier.Notification{}, ctx.Err()
		case <-silence.C:
			if err := c.ping(ctx); err != nil {
				return notifier.Notification{}, fmt.Errorf("the server does not answer: %w", err)
			}
			silence.Reset(pingInterval)
		}
	}
}

// ping can wait behind notifications that nobody takes; then it fails, and a
// new connection is made, which is what has to happen.
func (c *conn) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return c.bounded(ctx, c.l.Ping)
}

// bounded runs a call of lib/pq, which the end of the context makes fail.
func (c *conn) bounded(ctx context.Context, call func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.l.Close() })
	defer stop()
	err := call()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// reason is why the connection ended. The channel is closed by now.
func (c *conn) reason() error {
	if err := c.l.Err(); err != nil {
		return err
	}
	return errors.New("the connection ended")
}

// Close waits for the goroutine of lib/pq, which ends by closing the channel.
func (c *conn) Close(ctx context.Context) error {
	err := c.l.Close()
	for {
		select {
		case _, ok := <-c.messages:
			if !ok {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
