package validation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// Harness is how the suite reaches a provider. Only NewProvider is required.
// Functions may be called by several goroutines at once.
type Harness struct {
	// NewProvider returns a provider on a fresh store that it shares with no
	// other. It is called at least once for every case. The context ends with the
	// case.
	NewProvider func(ctx context.Context) (core.Provider, error)
	// Close, if set, is called for every provider when its case has ended. Under
	// [Run] the cleanup of the test may do the same.
	Close func(ctx context.Context, p core.Provider) error

	// LockTimeout is the lease that cases take when they wait for its end; zero
	// is one second, less is refused. Longer leases make the suite slower. A case
	// that is tried again because its steps were too slow takes a longer one.
	LockTimeout time.Duration
	// ShortPollBound is the time within which a provider that does not wait must
	// answer; zero is 100 ms. Half a second suits a remote database.
	ShortPollBound time.Duration
	// LongPolls says that a fetch that finds nothing waits for its PollTimeout.
	LongPolls bool

	// Parallel is how many cases run at once; zero is 8, and 1 runs them one
	// after the other.
	Parallel int
	// CaseTimeout is the deadline of each case; zero is five minutes, which only a
	// case that hangs takes.
	CaseTimeout time.Duration
	// RequireAll makes a failure of every case that would be skipped.
	RequireAll bool

	// Seed makes the random cases repeat what they did; zero is the environment's
	// DUROXIDE_VALIDATION_SEED, and a new one without it. Results tell it.
	Seed uint64
	// Scale makes the random cases that many times longer; zero is the
	// environment's DUROXIDE_VALIDATION_SCALE, and 1 without it.
	Scale int

	// CorruptHistory overwrites every stored event of the instance, in the store
	// of p, with something that cannot be decoded. Optional.
	CorruptHistory func(ctx context.Context, p core.Provider, instance string) error
	// CorruptQueues overwrites every message and activity that is queued for the
	// instance, in the store of p, with something that cannot be decoded. Optional.
	CorruptQueues func(ctx context.Context, p core.Provider, instance string) error
	// MaxAttemptCount returns the largest attempt count that the store of p holds
	// for the orchestrator messages of the instance. Optional.
	MaxAttemptCount func(ctx context.Context, p core.Provider, instance string) (uint32, error)
	// StartEngine starts a runtime on p. Optional.
	StartEngine func(ctx context.Context, p core.Provider, o EngineOptions) (Engine, error)
	// WithClockOffset returns another provider on the store of p whose clock runs
	// that far ahead, or behind if d is negative. Close is called for it before it is
	// for p, and must leave p's store open. Optional: the cases about clocks that
	// differ need it, and random histories with time wait without it.
	WithClockOffset func(ctx context.Context, p core.Provider, d time.Duration) (core.Provider, error)
	// BeginTx begins a transaction of its own on the store of p, as a user of the
	// provider would, or says [core.ErrNotSupported] for a store that has none.
	// Optional: the cases about such transactions need it.
	BeginTx func(ctx context.Context, p core.Provider) (core.OpenTx, error)
}

// The defaults of a [Harness].
const (
	defaultLockTimeout    = time.Second
	defaultShortPollBound = 100 * time.Millisecond
	defaultParallel       = 8
	defaultCaseTimeout    = 5 * time.Minute
)

// withDefaults fills in what is zero, or says what is wrong.
func (h Harness) withDefaults() (Harness, error) {
	if h.NewProvider == nil {
		return h, errors.New("validation: the harness has no NewProvider")
	}
	for _, d := range []struct {
		name    string
		field   *time.Duration
		def, at time.Duration
	}{
		{"LockTimeout", &h.LockTimeout, defaultLockTimeout, time.Second},
		{"ShortPollBound", &h.ShortPollBound, defaultShortPollBound, 1},
		{"CaseTimeout", &h.CaseTimeout, defaultCaseTimeout, 1},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < d.at {
			return h, fmt.Errorf("validation: the harness has a %s of %v, want at least %v", d.name, *d.field, d.at)
		}
	}
	if h.Parallel == 0 {
		h.Parallel = defaultParallel
	}
	if h.Parallel < 0 {
		return h, fmt.Errorf("validation: the harness has a Parallel of %d", h.Parallel)
	}
	return h.withRandomness()
}

// withRandomness fills in the seed and the scale.
func (h Harness) withRandomness() (Harness, error) {
	var err error
	if h.Seed == 0 {
		if h.Seed, err = seedFrom(env(envSeed)); err != nil {
			return h, fmt.Errorf("validation: the environment's %s: %w", envSeed, err)
		}
	}
	if text := env(envScale); h.Scale == 0 && text != "" {
		if h.Scale, err = strconv.Atoi(text); err != nil {
			return h, fmt.Errorf("validation: the environment's %s: %w", envScale, err)
		}
	}
	if h.Scale == 0 {
		h.Scale = 1
	}
	if h.Scale < 0 {
		return h, fmt.Errorf("validation: the harness has a Scale of %d", h.Scale)
	}
	return h, nil
}

// A need is what a case needs beyond a provider.
type need int

const (
	needsCorruptHistory need = iota
	needsCorruptQueues
	needsMaxAttemptCount
	needsEngine
	needsClockOffset
	needsBeginTx
	needsAdminReader
	needsAdminDeleter
	needsAdminPruner
)

// missing says what the harness lacks, empty if it has it.
func (n need) missing(h *Harness, p core.Provider) string {
	switch n {
	case needsCorruptHistory:
		return unless(h.CorruptHistory != nil, "the harness has no CorruptHistory")
	case needsCorruptQueues:
		return unless(h.CorruptQueues != nil, "the harness has no CorruptQueues")
	case needsMaxAttemptCount:
		return unless(h.MaxAttemptCount != nil, "the harness has no MaxAttemptCount")
	case needsEngine:
		return unless(h.StartEngine != nil, "the harness has no StartEngine")
	case needsClockOffset:
		return unless(h.WithClockOffset != nil, "the harness has no WithClockOffset")
	case needsBeginTx:
		return unless(h.BeginTx != nil, "the harness has no BeginTx")
	case needsAdminReader:
		return unless(has[core.AdminReader](p), "the provider does not implement core.AdminReader")
	case needsAdminDeleter:
		return unless(has[core.AdminDeleter](p), "the provider does not implement core.AdminDeleter")
	case needsAdminPruner:
		return unless(has[core.AdminPruner](p), "the provider does not implement core.AdminPruner")
	}
	panic(fmt.Sprintf("validation: unknown need %d", n))
}

func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

func has[T any](p core.Provider) bool {
	_, ok := core.Ability[T](p)
	return ok
}
