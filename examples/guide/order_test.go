package guide

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

var (
	album    = Book{Customer: "Ada", Pictures: []string{"cat", "dog"}, Cents: 4250}
	first    = Order.Version("1.0.0")
	latest   = Order
	graphics = &durable.Options{Tags: core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"graphics"}}}
)

// bank charges anybody, after the first attempts failed.
type bank struct {
	mu       sync.Mutex
	outages  int
	declines bool
	keys     []string
}

func (b *bank) Charge(_ context.Context, key string, _ int) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys = append(b.keys, key)
	switch {
	case len(b.keys) <= b.outages:
		return "", errors.New("no answer")
	case b.declines:
		return "", ErrDeclined
	}
	return "r-1", nil
}

// press prints a page in that time.
type press time.Duration

func (p press) Page(ctx context.Context, _ string, _ int) error {
	select {
	case <-time.After(time.Duration(p)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run is a test in virtual time with a shop of its own. Its process takes
// activities for machines with graphics, too.
func run(t *testing.T, b *bank, p press, f func(t *testing.T, env *durabletest.Env)) {
	t.Helper()
	reg := durable.NewRegistry()
	if err := reg.Add((&Shop{Bank: b, Press: p}).Code()...); err != nil {
		t.Fatal(err)
	}
	durabletest.Run(t, reg, graphics, f)
}

func decide(t *testing.T, env *durabletest.Env, id string, fine bool) {
	t.Helper()
	if err := env.Client.EnqueueMessage(t.Context(), id, "decisions", Decision{Fine: fine}); err != nil {
		t.Error(err)
	}
}

func TestOrderIsSent(t *testing.T) {
	b := &bank{outages: 2}
	run(t, b, press(time.Second), func(t *testing.T, env *durabletest.Env) {
		env.After(5*day, func() { decide(t, env, "order-1", true) })
		tracking, err := durabletest.Call(env, first, "order-1", album)
		if err != nil || tracking != "fast by default" {
			t.Errorf("%q, %v", tracking, err)
		}
		want := []string{"charge", "charge", "charge", "scale picture", "scale picture", "mail", "print", "bind"}
		if got := env.History("order-1").Activities(); !slices.Equal(got, want) {
			t.Errorf("activities %q", got)
		}
	})
	if len(b.keys) != 3 || b.keys[0] != b.keys[1] || b.keys[1] != b.keys[2] {
		t.Errorf("asked under the keys %q", b.keys)
	}
}

func TestOrderEndsEarly(t *testing.T) {
	for name, tt := range map[string]struct {
		declines  bool
		meanwhile func(t *testing.T, env *durabletest.Env)
		want      string
	}{
		"declined": {true, nil, "not paid"},
		"not fine": {false, func(t *testing.T, env *durabletest.Env) { decide(t, env, "order-1", false) }, "refunded: not approved"},
		"no word":  {false, nil, "refunded: not approved"},
		"cancelled": {false, func(t *testing.T, env *durabletest.Env) {
			decide(t, env, "order-1", true)
			env.After(time.Minute, func() {
				if err := env.Client.RequestCancel(t.Context(), "order-1", "changed my mind"); err != nil {
					t.Error(err)
				}
			})
		}, "refunded: cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, &bank{declines: tt.declines}, press(time.Hour), func(t *testing.T, env *durabletest.Env) {
				started := durabletest.Start(env, first, "order-1", album)
				env.Settle()
				if tt.meanwhile != nil {
					tt.meanwhile(t, env)
				}
				if out, err := durabletest.Wait(env, started); err != nil || out != tt.want {
					t.Errorf("%q, %v; want %q\n%s", out, err, tt.want, env.History("order-1"))
				}
			})
		})
	}
}

// New orders take the new code, whatever waits keeps the old one.
func TestOrderInTwoColours(t *testing.T) {
	run(t, &bank{}, 0, func(t *testing.T, env *durabletest.Env) {
		env.After(time.Hour, func() { decide(t, env, "order-1", true); decide(t, env, "order-2", true) })
		one, two := durabletest.Start(env, first, "order-1", album), durabletest.Start(env, latest, "order-2", album)
		for _, r := range []*durable.Run[string]{one, two} {
			if _, err := durabletest.Wait(env, r); err != nil {
				t.Error(err)
			}
		}
		for id, want := range map[string]int{"order-1": 1, "order-2": 2} {
			if n := env.History(id).Count(core.TypeActivityScheduled, "print"); n != want {
				t.Errorf("%s was printed %d times", id, n)
			}
		}
	})
}

func TestParcel(t *testing.T) {
	run(t, &bank{}, 0, func(t *testing.T, env *durabletest.Env) {
		env.After(time.Minute, func() { env.Raise("p", "cheap", "c-7") })
		if tracking, err := durabletest.Call(env, Parcel, "p", "Ada"); err != nil || tracking != "c-7" {
			t.Errorf("%q, %v", tracking, err)
		}
		stored, err := env.Client.KVGetRaw(t.Context(), "p", "tracking")
		if err != nil || stored == nil || *stored != `"c-7"` {
			t.Errorf("stored %v, %v", stored, err)
		}
	})
}

func TestSubscription(t *testing.T) {
	run(t, &bank{declines: true}, 0, func(t *testing.T, env *durabletest.Env) {
		env.After(100*day, func() {
			if err := env.Client.EnqueueMessage(t.Context(), "s", "stop", "moving"); err != nil {
				t.Error(err)
			}
		})
		if sent, err := durabletest.Call(env, Subscription, "s", Plan{Book: album}); err != nil || sent != 3 {
			t.Errorf("%d books, %v", sent, err)
		}
	})
}

func TestServe(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	provider := memprovider.New(nil)
	served := make(chan error)
	go func() { served <- (&Shop{Bank: &bank{declines: true}}).Serve(ctx, provider) }()
	if out, err := Sell(ctx, durable.NewClient(provider, nil), 1, album); err != nil || out != "not paid" {
		t.Errorf("%q, %v", out, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestCodeRepeatsItself(t *testing.T) {
	reg := durable.NewRegistry()
	if err := reg.Add((&Shop{Bank: &bank{}, Press: press(0)}).Code()...); err != nil {
		t.Fatal(err)
	}
	durabletest.Shuffle(t, reg, graphics, func(t *testing.T, env *durabletest.Env) {
		env.After(time.Hour, func() { decide(t, env, "order-1", true) })
		if _, err := durabletest.Call(env, latest, "order-1", album); err != nil {
			t.Error(err)
		}
	})
}
