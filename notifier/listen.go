package notifier

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// connectTimeout bounds one attempt to connect and subscribe.
	connectTimeout = 30 * time.Second
	// closeTimeout bounds the goodbye to the server.
	closeTimeout = 5 * time.Second
	minBackoff   = 100 * time.Millisecond
	maxBackoff   = 15 * time.Second
	// stable is how long a connection has to hold for the back-off to start
	// from the beginning.
	stable = 30 * time.Second
)

// listen keeps one connection that listens, and makes a new one whenever it
// breaks.
func (n *Notifier) listen(ctx context.Context) {
	for attempt := 0; ; {
		start := time.Now()
		err := n.session(ctx)
		if ctx.Err() != nil {
			n.setListening(false, nil)
			return
		}
		n.setListening(false, err)
		n.reschedule()
		if time.Since(start) > stable {
			attempt = 0
		}
		attempt++
		delay := backoff(attempt, rand.Float64())
		n.o.Logger.WarnContext(ctx, "not listening for work", "error", err, "attempt", attempt, "retry_in", delay)
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// session is the life of one connection.
func (n *Notifier) session(ctx context.Context) error {
	conn, err := n.subscribe(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	n.setListening(true, nil)
	n.o.Logger.InfoContext(ctx, "listening for work")
	// What happened before was not heard.
	for q := range n.waiters {
		n.waiters[q].wakeAll()
	}
	n.mu.Lock()
	n.refresh = time.Now()
	n.mu.Unlock()
	n.reschedule()
	for {
		msg, err := conn.Wait(ctx)
		if err != nil {
			return err
		}
		n.notified(msg)
	}
}

// subscribe makes a connection that listens.
func (n *Notifier) subscribe(ctx context.Context) (Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := n.o.Source.Connect(ctx)
	if err != nil {
		return nil, err
	}
	var channels []string
	if n.o.Waiting != nil {
		channels = append(channels, n.waiting)
	}
	channels = append(channels, n.channels[:]...)
	if err := conn.Listen(ctx, channels...); err != nil {
		closeConn(ctx, conn)
		return nil, err
	}
	return conn, nil
}

func closeConn(ctx context.Context, conn Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // it is of no use any more
}

// backoff returns the pause after a failed attempt, of which the first is 1. The
// random number in [0, 1) spreads processes that lost the same server.
func backoff(attempt int, random float64) time.Duration {
	d := maxBackoff
	if shift := attempt - 1; shift < 10 {
		d = min(minBackoff<<shift, maxBackoff)
	}
	return d/2 + time.Duration(random*float64(d/2))
}
