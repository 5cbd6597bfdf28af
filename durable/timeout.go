package durable

import "time"

// ScheduleToClose bounds the whole call of an activity, from its scheduling to its
// outcome: the time in the queue and, with [Retry], all attempts and the waits
// between them. What takes longer is cancelled, and the call ends with
// [ErrTimeout]. It is recorded as a timer. Zero or less is no bound.
func ScheduleToClose(d time.Duration) ActivityOption {
	return func(o *activityConfig) { o.scheduleToClose = d }
}

// awaitWithin waits for the outcome, but not longer than d; zero or less is no
// bound. A future that takes longer is given up.
func (f *Future[T]) awaitWithin(ctx *Context, d time.Duration) (T, error) {
	if d > 0 && Race(ctx, f, ctx.Timer(d)) == 1 {
		var zero T
		return zero, ErrTimeout
	}
	return f.Await(ctx)
}

// CodeOption says how a process runs an activity's code; see [Activity.With].
type CodeOption func(*codeConfig)

type codeConfig struct{ startToClose, heartbeat time.Duration }

// StartToClose bounds how long one attempt of the code may run. Then its context
// ends, with a cause that is [ErrTimeout], and the attempt fails with that text,
// which a [RetryPolicy] may try again. Code that ignores its context is left behind
// after [Options.CancellationGrace], and the attempt fails all the same; a result
// that comes before that counts. Zero or less is no bound.
func StartToClose(d time.Duration) CodeOption {
	return func(o *codeConfig) { o.startToClose = d }
}

// HeartbeatTimeout bounds how long the code may run without calling [Heartbeat],
// so that work that hangs is noticed long before [StartToClose]. It ends as that
// does. Zero or less is no bound.
func HeartbeatTimeout(d time.Duration) CodeOption {
	return func(o *codeConfig) { o.heartbeat = d }
}
