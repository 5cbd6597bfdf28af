package durable

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// The activities of the recorded runs.
const (
	greet          = Activity[string, string]("Greet")
	upper          = Activity[string, string]("Upper")
	sleepEcho      = Activity[string, string]("SleepEcho")
	fails          = Activity[string, string]("Fail")
	panics         = Activity[string, string]("PanicAct")
	flaky          = Activity[string, string]("Flaky")
	alwaysFails    = Activity[string, string]("AlwaysFail")
	untilCancelled = Activity[string, string]("UntilCancelled")
	notRegistered  = Activity[string, string]("NotRegistered")
	add            = Activity[addInput, addOutput]("Add")
)

type addInput struct {
	B int `json:"b"` // sorted by the codec
	A int `json:"a"`
}

type addOutput struct {
	Sum int `json:"sum"`
}

// The orchestrations that others start.
const (
	hello     = Orchestration[string, string]("Hello")
	child     = Orchestration[string, string]("Child")
	waitEvent = Orchestration[string, string]("WaitEvent")
	counter   = Orchestration[int, string]("Counter")
	canSub    = Orchestration[int, string]("CanSub")
	eternal   = Orchestration[int, string]("Eternal")
	kvCan     = Orchestration[string, string]("KvCan")
	canVer    = Orchestration[string, string]("CanVer")
	ver       = Orchestration[string, string]("Ver")
)

// twin makes the Go twins of one recorded orchestration. A few depend on the
// file, and on how much is stored: code that changed under a live history.
type twin func(file string, stored int) []Registration

// text is the twin of an orchestration from text to text.
func text(name string, fn func(*Context, string) (string, error)) twin {
	return func(string, int) []Registration {
		return []Registration{Orchestration[string, string](name).With(fn)}
	}
}

func single(r Registration) twin {
	return func(string, int) []Registration { return []Registration{r} }
}

var goldenTwins = map[string]twin{
	"Hello":     text("Hello", func(ctx *Context, in string) (string, error) { return greet.Call(ctx, in) }),
	"Child":     text("Child", func(ctx *Context, in string) (string, error) { return upper.Call(ctx, in) }),
	"WaitEvent": text("WaitEvent", waitForGo),
	"Sequence": text("Sequence", func(ctx *Context, in string) (string, error) {
		a, err := greet.Call(ctx, in)
		if err != nil {
			return "", err
		}
		b, err := upper.Call(ctx, a)
		if err != nil {
			return "", err
		}
		return greet.Call(ctx, b)
	}),
	"FanOut": text("FanOut", func(ctx *Context, _ string) (string, error) {
		out, err := JoinAll(ctx, sleepEcho.Schedule(ctx, "300:A"), sleepEcho.Schedule(ctx, "40:B"), sleepEcho.Schedule(ctx, "160:C"))
		return strings.Join(out, ","), err
	}),
	"Timer": text("Timer", func(ctx *Context, _ string) (string, error) {
		ctx.Sleep(50 * time.Millisecond)
		return "fired", nil
	}),
	"Parent": text("Parent", func(ctx *Context, in string) (string, error) {
		a, err := child.Call(ctx, in)
		if err != nil {
			return "", err
		}
		b, err := child.Call(ctx, in, WithInstanceID("explicit-child"))
		return a + "|" + b, err
	}),
	"Counter": single(counter.With(func(ctx *Context, n int) (string, error) {
		ctx.SetStatus("n=" + strconv.Itoa(n))
		if _, err := greet.Call(ctx, strconv.Itoa(n)); err != nil {
			return "", err
		}
		if n < 2 {
			return "", counter.ContinueAsNew(n + 1)
		}
		return "done " + strconv.Itoa(n), nil
	})),
	"CanSub": single(canSub.With(func(ctx *Context, n int) (string, error) {
		out, err := child.Call(ctx, "it"+strconv.Itoa(n))
		if n < 1 && err == nil {
			return "", canSub.ContinueAsNew(n + 1)
		}
		return out, err
	})),
	"CanVer": single2(
		canVer.With(func(*Context, string) (string, error) { return "", canVer.Version("2.0.0").ContinueAsNew("from-v1") }),
		canVer.Version("2.0.0").With(func(_ *Context, in string) (string, error) { return "v2:" + in, nil })),
	"Ver": single2(
		ver.With(func(*Context, string) (string, error) { return "v1", nil }),
		ver.Version("2.0.0").With(func(ctx *Context, _ string) (string, error) { return "v2 " + ctx.Version(), nil })),
	"FailAct": text("FailAct", func(ctx *Context, in string) (string, error) { return fails.Call(ctx, in) }),
	"CatchFail": text("CatchFail", func(ctx *Context, in string) (string, error) {
		_, err := fails.Call(ctx, in)
		return "caught " + err.Error(), nil
	}),
	"CatchPanicAct": text("CatchPanicAct", func(ctx *Context, in string) (string, error) {
		if _, err := panics.Call(ctx, in); err != nil {
			return "caught panic", nil
		}
		return "no panic", nil
	}),
	"PanicOrch": text("PanicOrch", func(ctx *Context, in string) (string, error) {
		if _, err := greet.Call(ctx, in); err != nil {
			return "", err
		}
		panic("orch exploded")
	}),
	"Retry": text("Retry", func(ctx *Context, in string) (string, error) {
		return flaky.Call(ctx, in, Retry(RetryPolicy{MaxAttempts: 5, Backoff: new(core.FixedBackoff(20 * time.Millisecond))}))
	}),
	"RetryExhaust": text("RetryExhaust", func(ctx *Context, in string) (string, error) {
		return alwaysFails.Call(ctx, in, Retry(RetryPolicy{MaxAttempts: 3, Backoff: new(core.NoBackoff())}))
	}),
	"SelectEvent":         text("SelectEvent", approve),
	"SelectEventThenMore": text("SelectEventThenMore", approveThenUpper),
	"SelectActivity": text("SelectActivity", func(ctx *Context, _ string) (string, error) {
		out := "activity"
		if Race(ctx, untilCancelled.Schedule(ctx, "x"), ctx.Timer(60*time.Millisecond)) == 1 {
			out = "timeout"
		}
		return upper.Call(ctx, out)
	}),
	"SelectChild": text("SelectChild", func(ctx *Context, _ string) (string, error) {
		out := "child"
		if Race(ctx, waitEvent.Schedule(ctx, ""), ctx.Timer(150*time.Millisecond)) == 1 {
			out = "timeout"
		}
		return upper.Call(ctx, out)
	}),
	"SelectByRef": text("SelectByRef", func(ctx *Context, _ string) (string, error) {
		a := sleepEcho.Schedule(ctx, "250:A")
		Select(ctx, a, ctx.Timer(30*time.Millisecond))
		return a.Await(ctx)
	}),
	"Status": text("Status", func(ctx *Context, _ string) (string, error) {
		ctx.SetStatus("one")
		ctx.SetStatus("two")
		if _, err := greet.Call(ctx, "x"); err != nil {
			return "", err
		}
		ctx.ResetStatus()
		if _, err := greet.Call(ctx, "y"); err != nil {
			return "", err
		}
		ctx.SetStatus("final")
		s, _ := ctx.Status()
		return s, nil
	}),
	"Cancelled": text("Cancelled", func(ctx *Context, _ string) (string, error) {
		Race(ctx, untilCancelled.Schedule(ctx, "x"), WaitEvent[string](ctx, "Never"), Dequeue[string](ctx, "NeverQ"),
			waitEvent.Schedule(ctx, ""), ctx.Timer(10*time.Minute))
		return "never", nil
	}),
	"Detached": text("Detached", func(ctx *Context, in string) (string, error) {
		if err := hello.StartDetached(ctx, "detached-target-1", in); err != nil {
			return "", err
		}
		out, err := greet.Call(ctx, in)
		if err != nil {
			return "", err
		}
		return out, hello.StartDetached(ctx, "detached-target-2", in)
	}),
	"GuidTime": text("GuidTime", func(ctx *Context, _ string) (string, error) {
		id, err := ctx.NewGUID()
		if err != nil {
			return "", err
		}
		now, err := ctx.RecordNow()
		return fmt.Sprint(len(id), now.UnixMilli() > 0), err
	}),
	"Queue": text("Queue", func(ctx *Context, _ string) (string, error) {
		a, err := Dequeue[string](ctx, "in").Await(ctx)
		if err != nil {
			return "", err
		}
		b, err := Dequeue[string](ctx, "in").Await(ctx)
		return a + "," + b, err
	}),
	"SessionTag": text("SessionTag", func(ctx *Context, _ string) (string, error) {
		a, err := upper.Call(ctx, "s1", OnSession("sess-A"))
		if err != nil {
			return "", err
		}
		b, err := upper.Call(ctx, "t1", WithTag("gpu"))
		return a + " " + b, err
	}),
	"Unawaited": text("Unawaited", func(ctx *Context, _ string) (string, error) {
		f := untilCancelled.Schedule(ctx, "x")
		out, err := greet.Call(ctx, "y")
		f.Cancel()
		return out, err
	}),
	"UnawaitedHeld": text("UnawaitedHeld", func(ctx *Context, _ string) (string, error) {
		untilCancelled.Schedule(ctx, "x")
		return greet.Call(ctx, "y")
	}),
	"DropImmediately": text("DropImmediately", func(ctx *Context, _ string) (string, error) {
		untilCancelled.Schedule(ctx, "x").Cancel()
		return greet.Call(ctx, "y")
	}),
	"FireAtReturn": text("FireAtReturn", func(ctx *Context, _ string) (string, error) {
		greet.Schedule(ctx, "x")
		return "immediate", nil
	}),
	"CompletedNeverAwaited": text("CompletedNeverAwaited", func(ctx *Context, _ string) (string, error) {
		sleepEcho.Schedule(ctx, "10:A")
		ctx.Sleep(250 * time.Millisecond)
		return "x", nil
	}),
	"ReservedChild": text("ReservedChild", func(ctx *Context, in string) (string, error) {
		_, err := child.Call(ctx, in, WithInstanceID("sub::x"))
		return err.Error(), nil
	}),
	"Eternal": single(eternal.With(func(ctx *Context, n int) (string, error) {
		stop, tick := Dequeue[string](ctx, "stop"), ctx.Timer(40*time.Millisecond)
		if Race(ctx, stop, tick) == 1 {
			return "", eternal.ContinueAsNew(n + 1)
		}
		m, err := stop.Await(ctx)
		return "stopped " + m + " at later", err
	})),
	"Saga": text("Saga", func(ctx *Context, in string) (string, error) {
		var undo []string
		for _, step := range []string{"flight", "hotel"} {
			if _, err := greet.Call(ctx, step); err != nil {
				return "", err
			}
			undo = append(undo, step)
		}
		_, err := fails.Call(ctx, in)
		for i := len(undo) - 1; err != nil && i >= 0; i-- {
			if _, err := upper.Call(ctx, "undo-"+undo[i]); err != nil {
				return "", err
			}
		}
		return "", errors.New("rolled back: " + err.Error())
	}),
	"Kv": text("Kv", func(ctx *Context, _ string) (string, error) {
		ctx.KVSetRaw("a", "1")
		ctx.KVSetRaw("b", "2")
		if err := KVSet(ctx, "obj", map[string]int{"x": 1}); err != nil {
			return "", err
		}
		a, _ := ctx.KVGetRaw("a")
		if _, err := greet.Call(ctx, a); err != nil {
			return "", err
		}
		ctx.KVClear("b")
		ctx.KVSetRaw("a", "10")
		a, _ = ctx.KVGetRaw("a")
		return fmt.Sprintf("%s %d %s", a, len(ctx.KVKeys()), strings.Join(ctx.KVKeys(), "+")), nil
	}),
	"KvClearAll": text("KvClearAll", func(ctx *Context, _ string) (string, error) {
		ctx.KVSetRaw("a", "1")
		ctx.KVClearAll()
		ctx.KVSetRaw("z", "9")
		return strings.Join(ctx.KVKeys(), "+"), nil
	}),
	"KvCan": text("KvCan", func(ctx *Context, in string) (string, error) {
		n, _, err := KVGet[int](ctx, "n")
		if err != nil {
			return "", err
		}
		if err := KVSet(ctx, "n", n+1); err != nil {
			return "", err
		}
		if in == "go" {
			return "", kvCan.ContinueAsNew("stop")
		}
		return fmt.Sprintf("n=%d", n+1), nil
	}),
	"KvRemote": text("KvRemote", func(ctx *Context, other string) (string, error) {
		show := func(s *string) string {
			if s == nil {
				return "None"
			}
			return fmt.Sprintf("Some(%q)", *s)
		}
		a, err := ctx.KVFrom(other, "a")
		if err != nil {
			return "", err
		}
		missing, err := ctx.KVFrom(other, "missing")
		return show(a) + " " + show(missing), err
	}),
	"TagTooLong": text("TagTooLong", func(ctx *Context, _ string) (string, error) {
		if _, err := greet.Call(ctx, "x"); err != nil {
			return "", err
		}
		return upper.Call(ctx, "t", WithTag(strings.Repeat("g", core.MaxTagBytes+1)))
	}),
	"TraceOnly": text("TraceOnly", func(ctx *Context, _ string) (string, error) {
		ctx.Logger().Info("before")
		_, err := greet.Call(ctx, "x")
		ctx.Logger().Info("after")
		ctx.Logger().Info("end")
		return "ok", err
	}),
	"TypedString": text("TypedString", func(ctx *Context, in string) (string, error) { return upper.Call(ctx, in) }),
	"TypedJson": single(Orchestration[addInput, addOutput]("TypedJson").With(func(ctx *Context, in addInput) (addOutput, error) {
		return add.Call(ctx, in)
	})),
	"CallsMissing": text("CallsMissing", func(ctx *Context, in string) (string, error) { return notRegistered.Call(ctx, in) }),
	"ND": func(file string, stored int) []Registration {
		code := func(ctx *Context, _ string) (string, error) {
			out, err := greet.Call(ctx, "x")
			if err != nil {
				return "", err
			}
			_, err = WaitEvent[string](ctx, "Go").Await(ctx)
			return out, err
		}
		if stored >= 4 { // the code that was deployed over the history
			switch file {
			case "nondet_name_change":
				code = func(ctx *Context, _ string) (string, error) { return upper.Call(ctx, "x") }
			case "nondet_kind_change":
				code = func(ctx *Context, _ string) (string, error) { ctx.Sleep(time.Minute); return "", nil }
			case "nondet_missing_action":
				code = func(ctx *Context, _ string) (string, error) { return Go(ctx, never).Await(ctx) }
			case "nondet_early_return":
				code = func(ctx *Context, _ string) (string, error) { return greet.Call(ctx, "x") }
			}
		}
		return []Registration{Orchestration[string, string]("ND").With(code)}
	},
}

func single2(a, b Registration) twin {
	return func(string, int) []Registration { return []Registration{a, b} }
}

func waitForGo(ctx *Context, _ string) (string, error) {
	data, err := WaitEvent[string](ctx, "Go").Await(ctx)
	return "got " + data, err
}

// never waits for something that cannot come and asks for nothing.
func never(ctx *Context) (string, error) {
	ctx.engine.Block(func() bool { return false })
	return "", nil
}

func approve(ctx *Context, in string) (string, error) {
	ms, err := strconv.Atoi(in)
	if err != nil {
		return "", err
	}
	deadline := ctx.Timer(time.Duration(ms) * time.Millisecond)
	approval := WaitEvent[string](ctx, "Approve")
	if Race(ctx, approval, deadline) == 1 {
		return "timeout", nil
	}
	data, err := approval.Await(ctx)
	return "approved " + data, err
}

func approveThenUpper(ctx *Context, in string) (string, error) {
	out, err := approve(ctx, in)
	if err != nil {
		return "", err
	}
	return upper.Call(ctx, out)
}
