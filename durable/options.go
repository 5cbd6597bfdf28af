package durable

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// stamp is the runtime version that this module's events carry by default. It
// is the version of the family's runtime whose rules the engine follows.
const stamp = "0.1.32"

// NondeterminismPolicy says what happens to an instance whose code does not
// repeat what its history records.
type NondeterminismPolicy int

const (
	// Park keeps the instance and tries again after [Options.ParkDelay], so
	// that deploying the right code cures it. The default.
	Park NondeterminismPolicy = iota
	// Fail fails the instance.
	Fail
)

// Options configure a [Runtime]. The zero value of every field is its default.
type Options struct {
	// Logger receives what the runtime and orchestrations log; nil discards it.
	Logger *slog.Logger
	// Observer is told what the runtime does, such as for metrics; nil for nobody.
	Observer *Observer
	// Clock is the source of time; nil is the system's.
	Clock core.Clock
	// NodeID identifies this process as the owner of sessions. A process that
	// starts again under the same id keeps its sessions. Empty makes one up.
	NodeID string

	// MaxTurns is how many instances take a turn at the same time. 0 is twice
	// the CPUs, at least 8; a negative number takes none, nor does a process
	// without orchestrations in its registry.
	MaxTurns int
	// MaxActivities is how many activities run at the same time. 0 is eight
	// times the CPUs, at least 32; a negative number runs none. Then some other
	// process must, also for [Context.NewGUID] and its like.
	MaxActivities int
	// Fetchers is how many goroutines fetch, for each of the two queues. 0 is 2.
	Fetchers int

	// WarmInstances is how many waiting executions this process keeps suspended
	// between their turns, so that the next turn costs what is new and not the
	// length of the history. 0 is 10,000; a negative number keeps none. It has
	// no effect on a provider that is no [core.TurnTracker].
	WarmInstances int
	// WarmBytes bounds the memory of the executions that are kept suspended, by
	// estimate. 0 is 192 MiB.
	WarmBytes int

	// PollTimeout is how long one fetch may wait inside the provider. 0 is 30 s.
	PollTimeout time.Duration
	// MinPollInterval paces fetches that find nothing and do not wait. 0 is
	// 100 ms.
	MinPollInterval time.Duration

	// InstanceLock and ActivityLock are how long a lock lives without renewal,
	// and so how long work waits whose process was killed. 0 is 5 s and 30 s.
	InstanceLock time.Duration
	ActivityLock time.Duration
	// InstanceLockBuffer and ActivityLockBuffer say how long before its end a
	// lock of 15 s or more is renewed; shorter ones are renewed half-way. 0 is
	// 2 s and 5 s.
	InstanceLockBuffer time.Duration
	ActivityLockBuffer time.Duration

	// Tags restricts which activities this process runs; the zero value takes
	// those without a tag.
	Tags core.TagFilter
	// MaxSessions bounds the distinct sessions with activities in flight here.
	// 0 is 10; a negative number claims no sessions at all.
	MaxSessions int
	// SessionLock is how long a claim on a session lives without renewal. 0 is
	// 30 s.
	SessionLock time.Duration
	// SessionIdleTimeout is how long a session is kept without activity. 0 is
	// 5 minutes. It must be longer than an activity can go without renewal.
	SessionIdleTimeout time.Duration

	// MaxAttempts is how often work is fetched before it fails as poison. 0 is
	// 10.
	MaxAttempts uint32
	// UnregisteredBackoff and UnregisteredBackoffMax are the delays before
	// work without registered code is tried again: the first, doubling up to
	// the second. 0 is 1 s and 60 s.
	UnregisteredBackoff    time.Duration
	UnregisteredBackoffMax time.Duration

	// CancellationGrace is how long an activity whose result is no longer
	// wanted may take to stop. 0 is 10 s.
	CancellationGrace time.Duration
	// ShutdownGrace is how long [Runtime.Run] lets work finish when its
	// context ends. 0 is 10 s.
	ShutdownGrace time.Duration

	// Nondeterminism says what happens to an instance whose code does not fit
	// its history.
	Nondeterminism NondeterminismPolicy
	// ParkDelay is how long a parked instance waits. 0 is 30 s.
	ParkDelay time.Duration
	// StrictInputs makes an input that differs from the recorded one
	// nondeterminism. By default history wins with a warning, because a new
	// field in a struct must not break live instances.
	StrictInputs bool

	// StrictReplay makes it nondeterminism when code returns although its history
	// records that it once asked for more. The family lets it pass.
	StrictReplay bool
	// SlowTurn is how long orchestration code may run without waiting for
	// anything durable before a warning with its stack is logged: code that
	// blocks on a channel, a lock or I/O holds its instance. 0 is 1 s; a negative
	// duration never warns.
	SlowTurn time.Duration

	// VersionStamp is the runtime version that new events carry: at most the
	// lowest version of the family's runtimes that share the store, since one
	// does not touch executions stamped above its own. Empty is "0.1.32".
	VersionStamp string
	// SupportedVersions are the stamps that this runtime replays; nil is
	// everything up to 0.1.32.
	SupportedVersions *core.VersionRange
}

// withDefaults returns the options with every default filled in, or an error
// that names the fields that break a rule.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	var errs []error
	bad := func(field, rule string, value any) {
		errs = append(errs, fmt.Errorf("%w: Options.%s must be %s, not %v", ErrInvalidInput, field, rule, value))
	}
	duration := func(field string, d *time.Duration, def time.Duration) {
		if *d < 0 {
			bad(field, "zero or more", *d)
		} else if *d == 0 {
			*d = def
		}
	}
	count := func(field string, n *int, def int) {
		if *n < 0 {
			bad(field, "zero or more", *n)
		} else if *n == 0 {
			*n = def
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock()
	}
	cpus := runtime.GOMAXPROCS(0)
	if c.MaxTurns == 0 {
		c.MaxTurns = max(8, 2*cpus)
	}
	if c.MaxActivities == 0 {
		c.MaxActivities = max(32, 8*cpus)
	}
	count("Fetchers", &c.Fetchers, 2)
	count("WarmBytes", &c.WarmBytes, 192<<20)
	if c.WarmInstances == 0 {
		c.WarmInstances = 10_000
	}
	duration("PollTimeout", &c.PollTimeout, 30*time.Second)
	duration("MinPollInterval", &c.MinPollInterval, 100*time.Millisecond)
	duration("InstanceLock", &c.InstanceLock, 5*time.Second)
	duration("ActivityLock", &c.ActivityLock, 30*time.Second)
	duration("InstanceLockBuffer", &c.InstanceLockBuffer, 2*time.Second)
	duration("ActivityLockBuffer", &c.ActivityLockBuffer, 5*time.Second)
	duration("SessionLock", &c.SessionLock, 30*time.Second)
	duration("SessionIdleTimeout", &c.SessionIdleTimeout, 5*time.Minute)
	duration("UnregisteredBackoff", &c.UnregisteredBackoff, time.Second)
	duration("UnregisteredBackoffMax", &c.UnregisteredBackoffMax, time.Minute)
	duration("CancellationGrace", &c.CancellationGrace, 10*time.Second)
	duration("ShutdownGrace", &c.ShutdownGrace, 10*time.Second)
	duration("ParkDelay", &c.ParkDelay, 30*time.Second)
	if c.SlowTurn == 0 {
		c.SlowTurn = time.Second
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 10
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 10
	}
	if err := c.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%w: Options.Tags: %w", ErrInvalidInput, err))
	}
	if longest := max(c.ActivityLock-c.ActivityLockBuffer, time.Second); c.MaxSessions > 0 && c.SessionIdleTimeout >= 0 && c.SessionIdleTimeout <= longest {
		bad("SessionIdleTimeout", fmt.Sprintf("longer than ActivityLock less its buffer (%s)", longest), c.SessionIdleTimeout)
	}
	if c.Nondeterminism != Park && c.Nondeterminism != Fail {
		bad("Nondeterminism", "Park or Fail", int(c.Nondeterminism))
	}
	if c.SupportedVersions == nil {
		c.SupportedVersions = &core.VersionRange{Max: core.MustParseVersion(stamp)}
	}
	if c.SupportedVersions.Min.Compare(c.SupportedVersions.Max) > 0 {
		bad("SupportedVersions", "a range whose Min is not above its Max", c.SupportedVersions.Min)
		return c, errors.Join(errs...)
	}
	if c.VersionStamp == "" {
		c.VersionStamp = stamp
	}
	switch v, err := core.ParseVersion(c.VersionStamp); {
	case err != nil:
		bad("VersionStamp", "a semantic version", c.VersionStamp)
	case v.Minor >= core.VersionComponentBound || v.Patch >= core.VersionComponentBound:
		bad("VersionStamp", fmt.Sprintf("below %d in minor and patch", core.VersionComponentBound), c.VersionStamp)
	case !c.SupportedVersions.Contains(v):
		bad("VersionStamp", "in the range of SupportedVersions, or the runtime could not go on with what it starts", c.VersionStamp)
	}
	return c, errors.Join(errs...)
}
