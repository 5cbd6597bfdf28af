package sqliteprovider

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

const (
	defaultPollInterval = 50 * time.Millisecond
	defaultBusyTimeout  = 10 * time.Second
)

// Options of a provider. The zero value is usable, and so is a nil pointer.
type Options struct {
	// Logger is told of what an operator should know. Nil discards.
	Logger *slog.Logger
	// Clock is the time that leases and visibility are judged by; nil is the
	// system's clock. A test clock for a file that several processes share
	// must be an offset of it, because each compares its own clock with what
	// others stored.
	Clock core.Clock
	// DisableLongPoll makes every fetch return at once.
	DisableLongPoll bool
	// PollInterval is how often a provider with waiting fetches looks whether
	// another process has changed the file, 50 ms by default. It costs no
	// query: one counter of the file is read. Changes of this provider itself
	// and times at which work becomes due wake fetches without it.
	PollInterval time.Duration
	// BusyTimeout is how long a call waits for another process, or another
	// provider on the file, to finish its write, 10 s by default. After that
	// it fails with an error that can be retried.
	BusyTimeout time.Duration
}

// resolve returns the options with defaults, or what is wrong with them.
func (o *Options) resolve() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		def   time.Duration
	}{
		{"PollInterval", &r.PollInterval, defaultPollInterval},
		{"BusyTimeout", &r.BusyTimeout, defaultBusyTimeout},
	} {
		if *d.value < 0 {
			return Options{}, fmt.Errorf("sqliteprovider: Options.%s: %v is negative", d.field, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.Clock == nil {
		r.Clock = core.SystemClock()
	}
	return r, nil
}
