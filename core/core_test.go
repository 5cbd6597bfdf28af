package core_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

func TestEventIsTerminal(t *testing.T) {
	t.Parallel()
	terminal := 0
	for _, s := range golden[[]sample](t, "events.json") {
		e, err := core.DecodeEvent([]byte(s.JSON))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.HasPrefix(s.Name, "OrchestrationCompleted") || strings.HasPrefix(s.Name, "OrchestrationFailed") ||
			strings.HasPrefix(s.Name, "OrchestrationContinuedAsNew")
		if e.IsTerminal() != want {
			t.Errorf("%s: %v, want %v", s.Name, e.IsTerminal(), want)
		}
		if want {
			terminal++
		}
	}
	if terminal == 0 || (core.Event{}).IsTerminal() {
		t.Error("no terminal sample, or an event without data is terminal")
	}
}

func TestExecutionStatusIsTerminal(t *testing.T) {
	t.Parallel()
	for s, want := range map[core.ExecutionStatus]bool{
		core.StatusRunning: false, core.StatusCompleted: true, core.StatusFailed: true, core.StatusContinuedAsNew: true, "": false, "Unknown": false,
	} {
		if s.IsTerminal() != want {
			t.Errorf("%q: %v, want %v", s, s.IsTerminal(), want)
		}
	}
}

func TestWorkItemRouting(t *testing.T) {
	t.Parallel()
	for _, s := range golden[[]sample](t, "work_items.json") {
		item, err := core.DecodeWorkItem([]byte(s.JSON))
		if err != nil {
			t.Fatal(err)
		}
		key := `"instance":`
		if strings.HasPrefix(item.ItemType(), "SubOrch") {
			key = `"parent_instance":`
		}
		_, rest, _ := strings.Cut(s.JSON, key)
		if !strings.Contains(s.Name, "unicode") && !strings.HasPrefix(rest, `"`+item.RoutingInstance()+`"`) {
			t.Errorf("%s goes to %q", s.Name, item.RoutingInstance())
		}
	}
}

func TestSystemClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := core.SystemClock()
		start := c.Now()
		if !start.Equal(time.Now()) {
			t.Errorf("%v, want %v", start, time.Now())
		}
		<-c.NewTimer(time.Minute).C()
		if d := c.Now().Sub(start); d != time.Minute {
			t.Errorf("the timer fired after %v, want a minute", d)
		}
		<-c.NewTimer(0).C()
		<-c.NewTimer(-time.Hour).C()
		if d := c.Now().Sub(start); d != time.Minute {
			t.Errorf("timers of no length fired after %v", d-time.Minute)
		}
		stopped := c.NewTimer(time.Second)
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop has to report true once")
		}
		time.Sleep(time.Minute)
		select {
		case <-stopped.C():
			t.Error("a stopped timer fired")
		default:
		}
	})
}

func TestOffsetClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		base := core.SystemClock()
		ahead := core.OffsetClock(base, time.Hour)
		behind := core.OffsetClock(ahead, -2*time.Hour)
		if d := ahead.Now().Sub(base.Now()); d != time.Hour {
			t.Errorf("ahead by %v, want 1h", d)
		}
		if d := behind.Now().Sub(base.Now()); d != -time.Hour {
			t.Errorf("ahead by %v, want -1h", d)
		}
		start := base.Now()
		<-behind.NewTimer(time.Minute).C()
		if d := base.Now().Sub(start); d != time.Minute {
			t.Errorf("the timer fired after %v, want a minute", d)
		}
	})
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for want, when := range map[uint64]time.Time{
		1_700_000_000_123: time.UnixMicro(1_700_000_000_123_999),
		0:                 {},
		1:                 time.UnixMilli(1).In(time.FixedZone("east", 3600)),
	} {
		if got := core.Milliseconds(when); got != want {
			t.Errorf("%v: %d, want %d", when, got, want)
		}
	}
	if got := core.Milliseconds(time.UnixMilli(-1)); got != 0 {
		t.Errorf("before the epoch: %d, want 0", got)
	}
}

// bareProvider implements nothing beside Provider.
type bareProvider struct{ core.Provider }

// depthsProvider implements a part of Admin.
type depthsProvider struct {
	core.Provider
	depth uint64
}

func (p depthsProvider) GetQueueDepths(context.Context) (*core.QueueDepths, error) {
	return &core.QueueDepths{OrchestratorQueue: p.depth}, nil
}

// wrapper is a decorator that implements nothing itself.
type wrapper struct{ core.Provider }

func (w wrapper) Unwrap() core.Provider { return w.Provider }

func TestAbility(t *testing.T) {
	t.Parallel()
	type depths interface {
		GetQueueDepths(ctx context.Context) (*core.QueueDepths, error)
	}
	for name, tt := range map[string]struct {
		provider core.Provider
		want     uint64 // 0 for none
	}{
		"nil":                     {nil, 0},
		"without":                 {bareProvider{}, 0},
		"with":                    {depthsProvider{depth: 1}, 1},
		"wrapped":                 {wrapper{depthsProvider{depth: 1}}, 1},
		"wrapped twice":           {wrapper{wrapper{depthsProvider{depth: 1}}}, 1},
		"wrapped without":         {wrapper{wrapper{bareProvider{}}}, 0},
		"wrapped nil":             {wrapper{}, 0},
		"hidden":                  {wrapper{bareProvider{depthsProvider{depth: 1}}}, 0},
		"the outermost is chosen": {wrapper{depthsProvider{Provider: wrapper{depthsProvider{depth: 1}}, depth: 2}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, ok := core.Ability[depths](tt.provider)
			if ok != (tt.want != 0) {
				t.Fatalf("found %v", ok)
			}
			if !ok {
				if d != nil {
					t.Errorf("%v without an ability", d)
				}
				return
			}
			if got, _ := d.GetQueueDepths(t.Context()); got.OrchestratorQueue != tt.want {
				t.Errorf("found provider %d, want %d", got.OrchestratorQueue, tt.want)
			}
		})
	}
}

func TestProviderErrors(t *testing.T) {
	t.Parallel()
	cause := fmt.Errorf("%w: instance i", core.ErrLockLost)
	permanent, retryable := core.Permanent("ack_work_item", cause), core.Retryable("read", errors.New("busy"))

	if got, want := permanent.Error(), "ack_work_item: Invalid lock token: instance i"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	var pe *core.ProviderError
	if !errors.As(permanent, &pe) || pe.Op != "ack_work_item" || pe.Retryable || !errors.Is(permanent, core.ErrLockLost) {
		t.Errorf("got %#v", permanent)
	}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                 {nil, false},
		"plain":               {errors.New("x"), false},
		"permanent":           {permanent, false},
		"retryable":           {retryable, true},
		"wrapped retryable":   {fmt.Errorf("turn: %w", retryable), true},
		"joined retryable":    {errors.Join(errors.New("x"), retryable), true},
		"the outermost rules": {core.Permanent("outer", retryable), false},
		"context":             {context.Canceled, false},
	} {
		if got := core.IsRetryable(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	for _, wrap := range []func(string, error) error{core.Permanent, core.Retryable} {
		for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, fmt.Errorf("waiting: %w", context.Canceled)} {
			if got := wrap("read", err); got != err { //nolint:errorlint // the very same error, not one around it
				t.Errorf("%v became %v", err, got)
			}
		}
	}
}

func TestErrorDetailsText(t *testing.T) {
	t.Parallel()
	if got, want := (core.PoisonError{AttemptCount: 3, MaxAttempts: 2}).Error(), "poison: exceeded 3 attempts (max 2)"; got != want {
		t.Errorf("without a message type: %q, want %q", got, want)
	}
	err := fmt.Errorf("turn: %w", core.ApplicationError{Kind: core.KindCancelled("user"), Message: "ignored"})
	var app core.ApplicationError
	if !errors.As(err, &app) || app.Error() != "canceled: user" {
		t.Errorf("got %v", err)
	}
}

func TestTagFilterValidate(t *testing.T) {
	t.Parallel()
	six := []string{"a", "b", "c", "d", "e", "f"}
	for name, tt := range map[string]struct {
		filter core.TagFilter
		rule   string // empty for valid
	}{
		"zero":                       {core.TagFilter{}, ""},
		"any":                        {core.TagFilter{Mode: core.TagsAny}, ""},
		"none":                       {core.TagFilter{Mode: core.TagsNone}, ""},
		"five":                       {core.TagFilter{Mode: core.TagsOnly, Tags: six[:5]}, ""},
		"five distinct of seven":     {core.TagFilter{Mode: core.TagsDefaultAnd, Tags: append(six[:5:5], "a", "b")}, ""},
		"the empty tag":              {core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{""}}, ""},
		"six":                        {core.TagFilter{Mode: core.TagsOnly, Tags: six}, "at most 5 tags"},
		"only without tags":          {core.TagFilter{Mode: core.TagsOnly}, "requires at least one tag"},
		"default-and without tags":   {core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{}}, "requires at least one tag"},
		"tags that would be ignored": {core.TagFilter{Mode: core.TagsAny, Tags: six[:1]}, "only the modes"},
		"default with tags":          {core.TagFilter{Tags: six[:1]}, "only the modes"},
		"unknown mode":               {core.TagFilter{Mode: 9}, "unknown mode 9"},
		"negative mode":              {core.TagFilter{Mode: -1}, "unknown mode -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.filter.Validate()
			switch {
			case tt.rule == "" && err != nil:
				t.Error(err)
			case tt.rule != "" && (!errors.Is(err, core.ErrInvalidArgument) || !strings.Contains(err.Error(), tt.rule)):
				t.Errorf("%v, want ErrInvalidArgument with %q", err, tt.rule)
			}
		})
	}
	if six[5] != "f" || six[0] != "a" {
		t.Error("Validate changed the caller's tags")
	}
	if (core.TagFilter{Mode: 9}).Matches(nil) {
		t.Error("an unknown mode takes something")
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]core.Version{
		"0.0.0":                    {},
		"0.1.32":                   {Minor: 1, Patch: 32},
		"18446744073709551615.0.0": {Major: math.MaxUint64},
		"1.2.3-rc.1+build.007":     {Major: 1, Minor: 2, Patch: 3, Pre: "rc.1", Build: "build.007"},
		"1.2.3+a-b":                {Major: 1, Minor: 2, Patch: 3, Build: "a-b"},
		"1.2.3--":                  {Major: 1, Minor: 2, Patch: 3, Pre: "-"},
		"1.2.3-0.0a":               {Major: 1, Minor: 2, Patch: 3, Pre: "0.0a"},
	} {
		got, err := core.ParseVersion(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	for text, rule := range map[string]string{
		"":                         "want major.minor.patch",
		"1":                        "want major.minor.patch",
		"1.2":                      "want major.minor.patch",
		"1.2.3.4":                  "want major.minor.patch",
		"banana":                   "want major.minor.patch",
		"1..3":                     `"" is not a number`,
		"v1.2.3":                   `"v1" is not a number`,
		"1.2.3 ":                   `"3 " is not a number`,
		"1.+2.3":                   `want major.minor.patch`,
		"1.2.٣":                    `"٣" is not a number`,
		"1.02.3":                   `"02" has a leading zero`,
		"18446744073709551616.0.0": "out of range",
		"1.2.3-":                   "pre-release: an identifier is empty",
		"1.2.3-a..b":               "pre-release: an identifier is empty",
		"1.2.3-01":                 "has a leading zero",
		"1.2.3-ä":                  "only letters, digits and hyphens",
		"1.2.3+":                   "build metadata: an identifier is empty",
		"1.2.3+a+b":                "only letters, digits and hyphens",
		"1.2.3-a_b":                "only letters, digits and hyphens",
	} {
		got, err := core.ParseVersion(text)
		if err == nil {
			t.Errorf("%q was accepted as %+v", text, got)
			continue
		}
		if !strings.Contains(err.Error(), rule) || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q: %v, want the text and %q", text, err, rule)
		}
	}
}

func TestMustParseVersionPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	core.MustParseVersion("1")
}

func TestVersionCompare(t *testing.T) {
	t.Parallel()
	ascending := []string{
		"0.0.0", "0.0.9", "0.0.10", "0.1.0", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0--", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1",
		"1.0.0-alpha.beta", "1.0.0-rc.1", "1.0.0-rc.1+a", "1.0.0", "1.0.0+0", "1.0.0+00", "1.0.0+1", "1.0.0+01", "1.0.0+2", "1.0.0+a", "1.0.0+a.0",
		"1.0.1-a", "1.0.1", "2.0.0", "18446744073709551615.0.0",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := core.MustParseVersion(a).Compare(core.MustParseVersion(b)); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestChildIDs(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"sub::5":                          core.AutoChildID(1, 5),
		"sub::2_5":                        core.AutoChildID(2, 5),
		"sub::0_5":                        core.AutoChildID(0, 5),
		"sub::18446744073709551615":       core.AutoChildID(1, math.MaxUint64),
		"parent::sub::2_5":                core.ChildInstanceID("parent", core.AutoChildID(2, 5)),
		"parent::sub::1::sub::2":          core.ChildInstanceID("parent::sub::1", core.AutoChildID(1, 2)),
		"chosen":                          core.ChildInstanceID("parent", "chosen"),
		"parent::sub::1 given explicitly": core.ChildInstanceID("p", "parent::sub::1 given explicitly"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for id, want := range map[string]bool{
		"sub::": true, "sub::x": true, "a::sub::1": true, "::sub::": true,
		"": false, "sub": false, "sub:1": false, "a": false, "asub::1": false, "a:sub::1": false, "SUB::1": false,
	} {
		if got := core.IsReservedRootID(id); got != want {
			t.Errorf("%q reserved: %v, want %v", id, got, want)
		}
	}
}

func TestBackoffExtremes(t *testing.T) {
	const hour = time.Hour
	for name, tt := range map[string]struct {
		backoff core.Backoff
		attempt uint32
		want    time.Duration
	}{
		"zero value":           {core.Backoff{}, 7, 0},
		"fixed at zero":        {core.FixedBackoff(0), 3, 0},
		"linear from zero":     {core.LinearBackoff(0, hour), 3, 0},
		"exponential from 0":   {core.ExponentialBackoff(0, 2, hour), 3, 0},
		"linear up to limit":   {core.LinearBackoff(3, 10), 3, 9},
		"linear above limit":   {core.LinearBackoff(3, 10), 4, 10},
		"linear huge":          {core.LinearBackoff(math.MaxInt64, math.MaxInt64), 2, math.MaxInt64},
		"exponential huge":     {core.ExponentialBackoff(hour, 1e300, math.MaxInt64), 100, math.MaxInt64},
		"exponential base":     {core.ExponentialBackoff(2*hour, 2, hour), 1, hour},
		"exponential nan":      {core.ExponentialBackoff(hour, math.NaN(), hour), 3, hour},
		"exponential shrinks":  {core.ExponentialBackoff(hour, 0.5, hour), 2, hour / 2},
		"exponential constant": {core.ExponentialBackoff(time.Minute, 1, hour), 1000, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.backoff.Delay(tt.attempt); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
