package golden_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// The activities of the recorded runs.
const (
	greet          = durable.Activity[string, string]("Greet")
	upper          = durable.Activity[string, string]("Upper")
	sleepEcho      = durable.Activity[string, string]("SleepEcho")
	fails          = durable.Activity[string, string]("Fail")
	panics         = durable.Activity[string, string]("PanicAct")
	flaky          = durable.Activity[string, string]("Flaky")
	alwaysFails    = durable.Activity[string, string]("AlwaysFail")
	untilCancelled = durable.Activity[string, string]("UntilCancelled")
	notRegistered  = durable.Activity[string, string]("NotRegistered")
	add            = durable.Activity[addInput, addOutput]("Add")
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
	hello     = durable.Orchestration[string, string]("Hello")
	child     = durable.Orchestration[string, string]("Child")
	waitEvent = durable.Orchestration[string, string]("WaitEvent")
	counter   = durable.Orchestration[int, string]("Counter")
	canSub    = durable.Orchestration[int, string]("CanSub")
	eternal   = durable.Orchestration[int, string]("Eternal")
	kvCan     = durable.Orchestration[string, string]("KvCan")
	canVer    = durable.Orchestration[string, string]("CanVer")
	ver       = durable.Orchestration[string, string]("Ver")
)

// twin makes the Go twins of one recorded orchestration. A few depend on the
// file, and on how much is stored: code that changed under a live history. Timers
// are a thousand times as long as the recorded ones, so that in a whole run they
// fire when the test moves the clock, and not by themselves.
type twin func(file string, stored int) []durable.Registration

// text is the twin of an orchestration from text to text.
func text(name string, fn func(*durable.Context, string) (string, error)) twin {
	return func(string, int) []durable.Registration {
		return []durable.Registration{durable.Orchestration[string, string](name).With(fn)}
	}
}

func single(r durable.Registration) twin {
	return func(string, int) []durable.Registration { return []durable.Registration{r} }
}

var twins = map[string]twin{
	"Hello":     text("Hello", func(ctx *durable.Context, in string) (string, error) { return greet.Call(ctx, in) }),
	"Child":     text("Child", func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) }),
	"WaitEvent": text("WaitEvent", waitForGo),
	"Sequence": text("Sequence", func(ctx *durable.Context, in string) (string, error) {
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
	"FanOut": text("FanOut", func(ctx *durable.Context, _ string) (string, error) {
		out, err := durable.JoinAll(ctx, sleepEcho.Schedule(ctx, "300:A"), sleepEcho.Schedule(ctx, "40:B"), sleepEcho.Schedule(ctx, "160:C"))
		return strings.Join(out, ","), err
	}),
	"Timer": text("Timer", func(ctx *durable.Context, _ string) (string, error) {
		ctx.Sleep(50 * time.Second)
		return "fired", nil
	}),
	"Parent": text("Parent", func(ctx *durable.Context, in string) (string, error) {
		a, err := child.Call(ctx, in)
		if err != nil {
			return "", err
		}
		b, err := child.Call(ctx, in, durable.WithInstanceID("explicit-child"))
		return a + "|" + b, err
	}),
	"Counter": single(counter.With(func(ctx *durable.Context, n int) (string, error) {
		ctx.SetStatus("n=" + strconv.Itoa(n))
		if _, err := greet.Call(ctx, strconv.Itoa(n)); err != nil {
			return "", err
		}
		if n < 2 {
			return "", counter.ContinueAsNew(n + 1)
		}
		return "done " + strconv.Itoa(n), nil
	})),
	"CanSub": single(canSub.With(func(ctx *durable.Context, n int) (string, error) {
		out, err := child.Call(ctx, "it"+strconv.Itoa(n))
		if n < 1 && err == nil {
			return "", canSub.ContinueAsNew(n + 1)
		}
		return out, err
	})),
	"CanVer": single2(
		canVer.With(func(*durable.Context, string) (string, error) {
			return "", canVer.Version("2.0.0").ContinueAsNew("from-v1")
		}),
		canVer.Version("2.0.0").With(func(_ *durable.Context, in string) (string, error) { return "v2:" + in, nil })),
	"Ver": single2(
		ver.With(func(*durable.Context, string) (string, error) { return "v1", nil }),
		ver.Version("2.0.0").With(func(ctx *durable.Context, _ string) (string, error) { return "v2 " + ctx.Version(), nil })),
	"FailAct": text("FailAct", func(ctx *durable.Context, in string) (string, error) { return fails.Call(ctx, in) }),
	"CatchFail": text("CatchFail", func(ctx *durable.Context, in string) (string, error) {
		_, err := fails.Call(ctx, in)
		return "caught " + err.Error(), nil
	}),
	"CatchPanicAct": text("CatchPanicAct", func(ctx *durable.Context, in string) (string, error) {
		if _, err := panics.Call(ctx, in); err != nil {
			return "caught panic", nil
		}
		return "no panic", nil
	}),
	"PanicOrch": text("PanicOrch", func(ctx *durable.Context, in string) (string, error) {
		if _, err := greet.Call(ctx, in); err != nil {
			return "", err
		}
		panic("orch exploded")
	}),
	"Retry": text("Retry", func(ctx *durable.Context, in string) (string, error) {
		return flaky.Call(ctx, in, durable.Retry(durable.RetryPolicy{MaxAttempts: 5, Backoff: new(core.FixedBackoff(20 * time.Second))}))
	}),
	"RetryExhaust": text("RetryExhaust", func(ctx *durable.Context, in string) (string, error) {
		return alwaysFails.Call(ctx, in, durable.Retry(durable.RetryPolicy{MaxAttempts: 3, Backoff: new(core.NoBackoff())}))
	}),
	"SelectEvent":         text("SelectEvent", approve),
	"SelectEventThenMore": text("SelectEventThenMore", approveThenUpper),
	"SelectActivity": text("SelectActivity", func(ctx *durable.Context, _ string) (string, error) {
		out := "activity"
		if durable.Race(ctx, untilCancelled.Schedule(ctx, "x"), ctx.Timer(60*time.Second)) == 1 {
			out = "timeout"
		}
		return upper.Call(ctx, out)
	}),
	"SelectChild": text("SelectChild", func(ctx *durable.Context, _ string) (string, error) {
		out := "child"
		if durable.Race(ctx, waitEvent.Schedule(ctx, ""), ctx.Timer(150*time.Second)) == 1 {
			out = "timeout"
		}
		return upper.Call(ctx, out)
	}),
	"SelectByRef": text("SelectByRef", func(ctx *durable.Context, _ string) (string, error) {
		a := sleepEcho.Schedule(ctx, "250:A")
		durable.Select(ctx, a, ctx.Timer(30*time.Second))
		return a.Await(ctx)
	}),
	"Status": text("Status", func(ctx *durable.Context, _ string) (string, error) {
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
	"Cancelled": text("Cancelled", func(ctx *durable.Context, _ string) (string, error) {
		durable.Race(ctx, untilCancelled.Schedule(ctx, "x"), durable.WaitEvent[string](ctx, "Never"), durable.Dequeue[string](ctx, "NeverQ"),
			waitEvent.Schedule(ctx, ""), ctx.Timer(10*time.Minute))
		return "never", nil
	}),
	"Detached": text("Detached", func(ctx *durable.Context, in string) (string, error) {
		if err := hello.StartDetached(ctx, "detached-target-1", in); err != nil {
			return "", err
		}
		out, err := greet.Call(ctx, in)
		if err != nil {
			return "", err
		}
		return out, hello.StartDetached(ctx, "detached-target-2", in)
	}),
	"GuidTime": text("GuidTime", func(ctx *durable.Context, _ string) (string, error) {
		id, err := ctx.NewGUID()
		if err != nil {
			return "", err
		}
		now, err := ctx.RecordNow()
		return fmt.Sprint(len(id), now.UnixMilli() > 0), err
	}),
	"Queue": text("Queue", func(ctx *durable.Context, _ string) (string, error) {
		a, err := durable.Dequeue[string](ctx, "in").Await(ctx)
		if err != nil {
			return "", err
		}
		b, err := durable.Dequeue[string](ctx, "in").Await(ctx)
		return a + "," + b, err
	}),
	"SessionTag": text("SessionTag", func(ctx *durable.Context, _ string) (string, error) {
		a, err := upper.Call(ctx, "s1", durable.OnSession("sess-A"))
		if err != nil {
			return "", err
		}
		b, err := upper.Call(ctx, "t1", durable.WithTag("gpu"))
		return a + " " + b, err
	}),
	"Unawaited": text("Unawaited", func(ctx *durable.Context, _ string) (string, error) {
		f := untilCancelled.Schedule(ctx, "x")
		out, err := greet.Call(ctx, "y")
		f.Cancel()
		return out, err
	}),
	"UnawaitedHeld": text("UnawaitedHeld", func(ctx *durable.Context, _ string) (string, error) {
		untilCancelled.Schedule(ctx, "x")
		return greet.Call(ctx, "y")
	}),
	"DropImmediately": text("DropImmediately", func(ctx *durable.Context, _ string) (string, error) {
		untilCancelled.Schedule(ctx, "x").Cancel()
		return greet.Call(ctx, "y")
	}),
	"FireAtReturn": text("FireAtReturn", func(ctx *durable.Context, _ string) (string, error) {
		greet.Schedule(ctx, "x")
		return "immediate", nil
	}),
	"CompletedNeverAwaited": text("CompletedNeverAwaited", func(ctx *durable.Context, _ string) (string, error) {
		sleepEcho.Schedule(ctx, "10:A")
		ctx.Sleep(250 * time.Second)
		return "x", nil
	}),
	"ReservedChild": text("ReservedChild", func(ctx *durable.Context, in string) (string, error) {
		_, err := child.Call(ctx, in, durable.WithInstanceID("sub::x"))
		return err.Error(), nil
	}),
	"Eternal": single(eternal.With(func(ctx *durable.Context, n int) (string, error) {
		stop, tick := durable.Dequeue[string](ctx, "stop"), ctx.Timer(40*time.Second)
		if durable.Race(ctx, stop, tick) == 1 {
			return "", eternal.ContinueAsNew(n + 1)
		}
		m, err := stop.Await(ctx)
		return "stopped " + m + " at later", err
	})),
	"Saga": text("Saga", func(ctx *durable.Context, in string) (string, error) {
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
	"Kv": text("Kv", func(ctx *durable.Context, _ string) (string, error) {
		ctx.KVSetRaw("a", "1")
		ctx.KVSetRaw("b", "2")
		if err := durable.KVSet(ctx, "obj", map[string]int{"x": 1}); err != nil {
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
	"KvClearAll": text("KvClearAll", func(ctx *durable.Context, _ string) (string, error) {
		ctx.KVSetRaw("a", "1")
		ctx.KVClearAll()
		ctx.KVSetRaw("z", "9")
		return strings.Join(ctx.KVKeys(), "+"), nil
	}),
	"KvCan": text("KvCan", func(ctx *durable.Context, in string) (string, error) {
		n, _, err := durable.KVGet[int](ctx, "n")
		if err != nil {
			return "", err
		}
		if err := durable.KVSet(ctx, "n", n+1); err != nil {
			return "", err
		}
		if in == "go" {
			return "", kvCan.ContinueAsNew("stop")
		}
		return fmt.Sprintf("n=%d", n+1), nil
	}),
	"KvRemote": text("KvRemote", func(ctx *durable.Context, other string) (string, error) {
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
	"TagTooLong": text("TagTooLong", func(ctx *durable.Context, _ string) (string, error) {
		if _, err := greet.Call(ctx, "x"); err != nil {
			return "", err
		}
		return upper.Call(ctx, "t", durable.WithTag(strings.Repeat("g", core.MaxTagBytes+1)))
	}),
	"TraceOnly": text("TraceOnly", func(ctx *durable.Context, _ string) (string, error) {
		ctx.Logger().Info("before")
		_, err := greet.Call(ctx, "x")
		ctx.Logger().Info("after")
		ctx.Logger().Info("end")
		return "ok", err
	}),
	"TypedString": text("TypedString", func(ctx *durable.Context, in string) (string, error) { return upper.Call(ctx, in) }),
	"TypedJson": single(durable.Orchestration[addInput, addOutput]("TypedJson").With(func(ctx *durable.Context, in addInput) (addOutput, error) {
		return add.Call(ctx, in)
	})),
	"CallsMissing": text("CallsMissing", func(ctx *durable.Context, in string) (string, error) { return notRegistered.Call(ctx, in) }),
	"ND": func(file string, stored int) []durable.Registration {
		code := func(ctx *durable.Context, _ string) (string, error) {
			out, err := greet.Call(ctx, "x")
			if err != nil {
				return "", err
			}
			_, err = durable.WaitEvent[string](ctx, "Go").Await(ctx)
			return out, err
		}
		if stored >= changedAfter { // the code that was deployed over the history
			switch file {
			case "nondet_name_change":
				code = func(ctx *durable.Context, _ string) (string, error) { return upper.Call(ctx, "x") }
			case "nondet_kind_change":
				code = func(ctx *durable.Context, _ string) (string, error) { ctx.Sleep(time.Minute); return "", nil }
			case "nondet_missing_action":
				code = func(ctx *durable.Context, _ string) (string, error) { return never(ctx) }
			case "nondet_early_return":
				code = func(ctx *durable.Context, _ string) (string, error) { return greet.Call(ctx, "x") }
			}
		}
		return []durable.Registration{durable.Orchestration[string, string]("ND").With(code)}
	},
}

func single2(a, b durable.Registration) twin {
	return func(string, int) []durable.Registration { return []durable.Registration{a, b} }
}

func waitForGo(ctx *durable.Context, _ string) (string, error) {
	data, err := durable.WaitEvent[string](ctx, "Go").Await(ctx)
	return "got " + data, err
}

// never waits for itself, and so for something that cannot come, and asks for
// nothing.
func never(ctx *durable.Context) (string, error) {
	var f *durable.Future[string]
	f = durable.Go(ctx, func(ctx *durable.Context) (string, error) { return f.Await(ctx) })
	return f.Await(ctx)
}

func approve(ctx *durable.Context, in string) (string, error) {
	recorded, err := strconv.Atoi(in)
	if err != nil {
		return "", err
	}
	deadline := ctx.Timer(time.Duration(recorded) * time.Second)
	approval := durable.WaitEvent[string](ctx, "Approve")
	if durable.Race(ctx, approval, deadline) == 1 {
		return "timeout", nil
	}
	data, err := approval.Await(ctx)
	return "approved " + data, err
}

func approveThenUpper(ctx *durable.Context, in string) (string, error) {
	out, err := approve(ctx, in)
	if err != nil {
		return "", err
	}
	return upper.Call(ctx, out)
}

// changedAfter is how many events of a run are stored when its code is changed.
const changedAfter = 4
