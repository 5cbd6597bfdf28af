package notifier

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// fakeSource hands out connections that the test controls.
type fakeSource struct {
	mu       sync.Mutex
	refuse   error // for Connect
	deaf     error // for Listen
	conns    []*fakeConn
	connects []time.Time
}

type fakeConn struct {
	source   *fakeSource
	channels []string
	messages chan Notification
	broken   chan error
	closed   bool
}

func (s *fakeSource) Connect(context.Context) (Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connects = append(s.connects, time.Now())
	if s.refuse != nil {
		return nil, s.refuse
	}
	c := &fakeConn{source: s, messages: make(chan Notification), broken: make(chan error, 1)}
	s.conns = append(s.conns, c)
	return c, nil
}

func (s *fakeSource) set(refuse, deaf error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse, s.deaf = refuse, deaf
}

func (s *fakeSource) last() *fakeConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[len(s.conns)-1]
}

func (c *fakeConn) Listen(_ context.Context, channels ...string) error {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	c.channels = channels
	return c.source.deaf
}

func (c *fakeConn) Wait(ctx context.Context) (Notification, error) {
	select {
	case m := <-c.messages:
		return m, nil
	case err := <-c.broken:
		return Notification{}, err
	case <-ctx.Done():
		return Notification{}, ctx.Err()
	}
}

func (c *fakeConn) Close(context.Context) error {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	c.closed = true
	return nil
}

// fakeRefresher answers what the test says and notes when it was asked.
type fakeRefresher struct {
	mu    sync.Mutex
	asked []time.Duration // since the start
	until []time.Duration // the window
	start time.Time
	reply func(now time.Time) (Due, error)
	slow  time.Duration
}

func (r *fakeRefresher) Refresh(ctx context.Context, now, until time.Time) (Due, error) {
	r.mu.Lock()
	r.asked = append(r.asked, time.Since(r.start))
	r.until = append(r.until, until.Sub(now))
	r.mu.Unlock()
	if r.slow > 0 {
		select {
		case <-time.After(r.slow):
		case <-ctx.Done():
		}
	}
	if r.reply == nil {
		return Due{}, nil
	}
	return r.reply(now)
}

// run starts a notifier inside a bubble and waits until it has settled.
func run(t *testing.T, o Options) *Notifier {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return n
}

// quiet has intervals that do not disturb a test.
func quiet(source Source) Options {
	return Options{Schema: "s", Source: source, FloorInterval: 24 * time.Hour, DegradedInterval: 24 * time.Hour, Grace: 100 * time.Millisecond}
}

func expect(t *testing.T, what string, want, got bool) {
	t.Helper()
	if want != got {
		t.Errorf("%s: woken is %v", what, got)
	}
}

func in(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10) }

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		n := run(t, quiet(source))
		conn := source.last()
		if len(conn.channels) != 2 || conn.channels[0] != "s_orch_work" || conn.channels[1] != "s_worker_work" {
			t.Fatalf("listens to %v", conn.channels)
		}
		send := func(channel, payload string) {
			conn.messages <- Notification{channel, payload}
			synctest.Wait()
		}
		o, w := n.Register(Orchestrator, ""), n.Register(Worker, "")
		send("s_orch_work", in(0))
		expect(t, "orchestrator, now", true, woken(o))
		expect(t, "worker, of the other queue", false, woken(w))
		send("s_worker_work", in(-time.Second))
		expect(t, "worker, past", true, woken(w))
		expect(t, "orchestrator, of the other queue", false, woken(o))
		send("x_orch_work", in(0))
		expect(t, "another schema", false, woken(o))

		send("s_orch_work", in(10*time.Second))
		sleep(10 * time.Second)
		expect(t, "before the grace has passed", false, woken(o))
		sleep(100 * time.Millisecond)
		expect(t, "timer", true, woken(o))
		if got := n.Status().Notifications; got != 3 {
			t.Errorf("counted %d notifications", got)
		}
	})
}

func TestAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := run(t, quiet(nil))
		a, b := n.Register(Worker, ""), n.Register(Worker, "")
		n.At(Worker, time.Now())
		expect(t, "due", true, woken(a) && woken(b))
		n.At(Worker, time.Now().Add(time.Minute))
		n.At(Worker, time.Now().Add(time.Second))
		sleep(1100 * time.Millisecond)
		expect(t, "the earlier one", true, woken(a) && woken(b))
		sleep(time.Minute)
		expect(t, "the later one", true, woken(a) && woken(b))
		n.At(Worker, time.Now().Add(1<<62)) // does not overflow
		sleep(time.Hour)
		expect(t, "far ahead", false, woken(a) || woken(b))
	})
}

func TestWallClockGoesSlower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Int64
		o := quiet(nil)
		o.Now = func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
		n := run(t, o)
		w := n.Register(Worker, "")
		n.At(Worker, time.Now().Add(time.Minute))
		back.Store(int64(time.Second))
		sleep(time.Minute + 100*time.Millisecond)
		expect(t, "by the monotonic clock", false, woken(w))
		sleep(time.Second)
		expect(t, "by the wall clock", true, woken(w))
	})
}

func TestFloorAndDegradedPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		n := run(t, Options{Source: source, FloorInterval: time.Minute, DegradedInterval: time.Second})
		o, w := n.Register(Orchestrator, ""), n.Register(Worker, "")
		sleep(59 * time.Second)
		expect(t, "before the floor", false, woken(o) || woken(w))
		sleep(time.Second)
		expect(t, "at the floor", true, woken(o) && woken(w))

		source.set(errors.New("down"), nil)
		source.last().broken <- errors.New("gone")
		sleep(time.Second)
		expect(t, "degraded", true, woken(o) && woken(w))
		sleep(time.Second)
		expect(t, "degraded again", true, woken(o) && woken(w))
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, refresher := &fakeSource{}, &fakeRefresher{start: time.Now()}
		o := quiet(source)
		o.Refresher = refresher
		n := run(t, o)
		if !n.Status().Listening {
			t.Fatal("does not listen")
		}
		a, b := n.Register(Orchestrator, ""), n.Register(Orchestrator, "")
		first := source.last()
		source.set(errors.New("down"), nil)
		gone := errors.New("gone")
		first.broken <- gone
		synctest.Wait()
		status := n.Status()
		if status.Listening || !errors.Is(status.ListenError, gone) || status.Connects != 1 {
			t.Errorf("status %+v", status)
		}
		if !first.closed {
			t.Error("the broken connection was not closed")
		}
		sleep(2 * time.Minute)
		source.mu.Lock()
		attempts := len(source.connects) - 1
		lastPause := source.connects[attempts].Sub(source.connects[attempts-1])
		source.mu.Unlock()
		if attempts < 8 || attempts > 40 || lastPause < maxBackoff/2 || lastPause > maxBackoff {
			t.Errorf("%d attempts in two minutes, the last after %v", attempts, lastPause)
		}

		// Connecting works, subscribing does not.
		source.set(nil, errors.New("deaf"))
		sleep(time.Minute)
		if n.Status().Listening || !source.last().closed {
			t.Error("a connection that cannot subscribe is kept")
		}

		looks := len(refresher.asked)
		for woken(a) || woken(b) {
		}
		source.set(nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := n.WaitListening(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		expect(t, "everybody after a new subscription", true, woken(a) && woken(b))
		if len(refresher.asked) != looks+1 {
			t.Error("no look ahead after a new subscription")
		}
		if status := n.Status(); status.Connects != 2 {
			t.Errorf("status %+v", status)
		}
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refresher := &fakeRefresher{start: time.Now(), slow: 3 * time.Second}
		refresher.reply = func(now time.Time) (Due, error) {
			return Due{
				Orchestrator: []time.Time{now.Add(10 * time.Second), now.Add(20 * time.Second)},
				Worker:       []time.Time{now.Add(-time.Hour)},
			}, nil
		}
		o := quiet(nil)
		o.Refresher, o.RefreshInterval = refresher, 30*time.Second
		n := run(t, o)
		a, w := n.Register(Orchestrator, ""), n.Register(Worker, "")
		sleep(3 * time.Second)
		expect(t, "what is due already", true, woken(w))
		sleep(7 * time.Second)
		expect(t, "before the grace has passed", false, woken(a))
		sleep(100 * time.Millisecond)
		expect(t, "the first timer", true, woken(a))
		sleep(10 * time.Second)
		expect(t, "the second timer", true, woken(a))
		sleep(45 * time.Second)
		refresher.mu.Lock()
		defer refresher.mu.Unlock()
		// From start to start, however long one takes.
		if len(refresher.asked) != 3 || refresher.asked[1] != 30*time.Second || refresher.asked[2] != time.Minute {
			t.Errorf("looked at %v", refresher.asked)
		}
		for _, window := range refresher.until {
			if window != time.Minute {
				t.Errorf("looked %v ahead", window)
			}
		}
		if status := n.Status(); status.Refreshes != 3 || status.RefreshError != nil {
			t.Errorf("status %+v", status)
		}
	})
}

func TestRefreshFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		refresher := &fakeRefresher{start: time.Now(), reply: func(time.Time) (Due, error) { return Due{}, down }}
		n := run(t, Options{Refresher: refresher, DegradedInterval: 2 * time.Second})
		sleep(5 * time.Second)
		refresher.mu.Lock()
		defer refresher.mu.Unlock()
		if len(refresher.asked) != 3 {
			t.Errorf("looked at %v", refresher.asked)
		}
		if !errors.Is(n.Status().RefreshError, down) {
			t.Errorf("status %+v", n.Status())
		}
	})
}

func TestRefreshThatIsNotComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refresher := &fakeRefresher{start: time.Now()}
		first := true
		refresher.reply = func(now time.Time) (Due, error) {
			if !first {
				return Due{}, nil
			}
			first = false
			return Due{Until: now.Add(4 * time.Second)}, nil
		}
		run(t, Options{Refresher: refresher})
		sleep(10 * time.Second)
		refresher.mu.Lock()
		defer refresher.mu.Unlock()
		if len(refresher.asked) != 2 || refresher.asked[1] != 4*time.Second {
			t.Errorf("looked at %v", refresher.asked)
		}
	})
}

func TestNotificationBeyondTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		o := quiet(source)
		o.Refresher, o.RefreshInterval = &fakeRefresher{start: time.Now()}, time.Minute
		n := run(t, o)
		w := n.Register(Orchestrator, "")
		source.last().messages <- Notification{"s_orch_work", in(2*time.Minute + time.Millisecond)}
		source.last().messages <- Notification{"s_orch_work", in(2 * time.Minute)}
		synctest.Wait()
		if got := len(n.due[Orchestrator].entries); got != 1 {
			t.Errorf("%d due times, the window ends inclusively", got)
		}
		woken(w)
	})
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := run(t, quiet(nil))
		if err := n.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n.channels != [queues]string{"public_orch_work", "public_worker_work"} {
		t.Errorf("channels %v", n.channels)
	}
	if n.o.RefreshInterval != 30*time.Second || n.o.FloorInterval != 30*time.Second ||
		n.o.DegradedInterval != time.Second || n.o.Grace != 5*time.Millisecond {
		t.Errorf("defaults %+v", n.o)
	}
	if now := n.o.Now(); now.Year() < 2020 || now.Year() > 2050 {
		t.Errorf("it is %v", now)
	}
	for _, o := range []Options{
		{RefreshInterval: -1}, {FloorInterval: -1}, {DegradedInterval: -1}, {Grace: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("accepted %+v", o)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		attempt  int
		low, top time.Duration
	}{
		{1, 50 * time.Millisecond, 100 * time.Millisecond},
		{2, 100 * time.Millisecond, 200 * time.Millisecond},
		{8, 6400 * time.Millisecond, 12800 * time.Millisecond},
		{9, 7500 * time.Millisecond, 15 * time.Second},
		{1 << 40, 7500 * time.Millisecond, 15 * time.Second},
	} {
		if got := backoff(tt.attempt, 0); got != tt.low {
			t.Errorf("attempt %d waits at least %v, want %v", tt.attempt, got, tt.low)
		}
		if got := backoff(tt.attempt, 0.999999999); got > tt.top || got < tt.top-time.Millisecond {
			t.Errorf("attempt %d waits at most %v, want %v", tt.attempt, got, tt.top)
		}
	}
}
