package replay_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// warm runs the turns of an execution on code that stays suspended between
// them, as long as keep says so.
type warm struct {
	suspended *replay.Suspended
	keep      func() bool
	resumed   int
}

func (w *warm) turn(in replay.Input) (out replay.Output) {
	if w.suspended == nil {
		out, w.suspended = replay.Begin(in)
		return out
	}
	if last := in.History[len(in.History)-1].ID; w.suspended.LastEventID() != last {
		panic(fmt.Sprint("last event ", w.suspended.LastEventID(), ", want ", last))
	}
	if !w.keep() {
		w.close()
		return w.turn(in)
	}
	w.resumed++
	in.History, in.KV = nil, nil
	out, w.suspended = w.suspended.Resume(in)
	return out
}

func (w *warm) close() {
	if w.suspended != nil {
		w.suspended.Close()
		w.suspended = nil
	}
}

// TestWarmTurnsAreColdTurns runs random scripts twice in lockstep: cold, and
// suspended between the turns with and without evictions. Every turn must give
// the same output, and show the code the same.
func TestWarmTurnsAreColdTurns(t *testing.T) {
	t.Parallel()
	scripts := uint64(400)
	if testing.Short() {
		scripts = 100
	}
	for name, keep := range map[string]func(*rand.Rand) bool{
		"never evicted":     func(*rand.Rand) bool { return true },
		"sometimes evicted": func(r *rand.Rand) bool { return r.IntN(3) > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resumed := 0
			for seed := range scripts {
				rng := rand.New(rand.NewPCG(seed, 4))
				resumed += checkWarm(t, seed, func() bool { return keep(rng) })
			}
			if resumed < int(scripts) {
				t.Errorf("only %d turns were resumed: the test does not look", resumed)
			}
		})
	}
}

func checkWarm(t *testing.T, seed uint64, keep func() bool) (resumed int) {
	t.Helper()
	coldCode, warmCode := &script{seed: seed}, &script{seed: seed}
	s := newSim(t, coldCode.run)
	s.strict, s.unchecked = true, true
	w := warm{keep: keep}
	defer w.close()
	world := &world{rng: rand.New(rand.NewPCG(seed, 3))}
	for turn := 1; turn <= 40; turn++ {
		in := s.input(world.batch()...)
		now := s.now.Add(time.Second)
		in.Now = func() time.Time { return now }
		cold := replay.Run(in)
		in.Handler = warmCode.run
		got := w.turn(in)

		history := func() string { return strings.Join(show(s.history), "\n") }
		if diff := cmp.Diff(cold, got); diff != "" {
			t.Fatalf("seed %d, turn %d (-cold +warm):\n%s\nhistory:\n%s", seed, turn, diff, history())
		}
		if diff := cmp.Diff(coldCode.notes, warmCode.notes); diff != "" {
			t.Fatalf("seed %d, turn %d: the code sees something else (-cold +warm):\n%s\nhistory:\n%s", seed, turn, diff, history())
		}
		s.now, s.history = now, append(s.history, cold.Delta...)
		if cold.Result != replay.Continue {
			if w.suspended != nil {
				t.Fatalf("seed %d: suspended after %v", seed, cold.Result)
			}
			break
		}
		world.take(cold)
	}
	return w.resumed
}

func FuzzWarm(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkWarm(t, seed, func() bool { return true }) })
}

// TestSuspendedLetsGo: what ends does not stay, deferred functions run at the
// close, and the old race policy is never suspended.
func TestSuspendedLetsGo(t *testing.T) {
	t.Parallel()
	unwound := false
	handler := func(c *replay.Context, _ string) (string, error) {
		defer func() { unwound = true }()
		return must(c, act(c, "a")), nil
	}
	s := newSim(t, handler)
	_, suspended := replay.Begin(s.input())
	if suspended == nil || unwound {
		t.Fatalf("suspended %v, unwound %v", suspended, unwound)
	}
	if got := suspended.LastEventID(); got != 2 {
		t.Errorf("last event %d, want 2", got)
	}
	suspended.Close()
	if !unwound {
		t.Error("the deferred function did not run")
	}

	_, suspended = replay.Begin(s.input())
	out, suspended := suspended.Resume(s.input(done(2, "r")))
	if out.Result != replay.Completed || suspended != nil {
		t.Errorf("result %v, suspended %v", out.Result, suspended)
	}

	s.stamp = "0.1.30"
	if _, suspended = replay.Begin(s.input()); suspended != nil {
		t.Error("the old race policy was suspended")
	}
}

// TestSuspendedFailures: a turn that cannot go on leaves nothing suspended.
func TestSuspendedFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		message core.WorkItem
		code    replay.Handler
		result  replay.Result
	}{
		"panic":           {done(2, "r"), func(*replay.Context, string) (string, error) { panic("x") }, replay.Failed},
		"no such id":      {done(9, "r"), nil, replay.Failed},
		"cancelled":       {core.CancelInstanceItem{Instance: "inst", Reason: "r"}, nil, replay.Cancelled},
		"continue as new": {done(2, "r"), func(*replay.Context, string) (string, error) { return "", &replay.ContinueAsNew{} }, replay.ContinuedAsNew},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, func(c *replay.Context, in string) (string, error) {
				must(c, act(c, "a"))
				return tt.code(c, in)
			})
			first, suspended := replay.Begin(s.input())
			s.history = first.Delta
			cold := replay.Run(s.input(tt.message))
			got, suspended := suspended.Resume(s.input(tt.message))
			if got.Result != tt.result || suspended != nil {
				t.Errorf("result %v, suspended %v", got.Result, suspended)
			}
			got.PanicStack, cold.PanicStack = "", ""
			if diff := cmp.Diff(cold, got); diff != "" {
				t.Errorf("(-cold +warm):\n%s", diff)
			}
		})
	}
}

// BenchmarkResume is one turn of a suspended execution of any length.
func BenchmarkResume(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n, "events"), func(b *testing.B) {
			in := replay.Input{
				Instance: "inst", Execution: 1, Stamp: "0.1.32", History: sequence(n / 2), Handler: endless,
				Now: func() time.Time { return start },
			}
			_, suspended := replay.Begin(in)
			b.ReportAllocs()
			for b.Loop() {
				in.Messages = []core.WorkItem{done(suspended.LastEventID(), "r")}
				var out replay.Output
				if out, suspended = suspended.Resume(in); len(out.Delta) != 2 {
					b.Fatal(out.Failure, show(out.Delta))
				}
			}
			suspended.Close()
		})
	}
}

// TestSuspendedMemory: ten thousand suspended executions with inputs of 4 kB take
// far less than 300 MB, and about what they say.
func TestSuspendedMemory(t *testing.T) {
	const n = 10_000
	memory := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
	}
	handler := func(c *replay.Context, in string) (string, error) { return must(c, c.Wait("go")) + in[:1], nil }
	before, said := memory(), 0
	suspended := make([]*replay.Suspended, n)
	for i := range suspended {
		in := replay.Input{
			Instance: fmt.Sprint("i", i), Execution: 1, Stamp: "0.1.32", Handler: handler, Now: func() time.Time { return start },
			Start: &core.OrchestrationStarted{Name: "orch", Version: "1.0.0", Input: strings.Repeat("x", 4096)},
		}
		_, suspended[i] = replay.Begin(in)
		said += suspended[i].Bytes()
	}
	took := memory() - before
	t.Logf("%d bytes each, said %d", took/n, said/n)
	if took > 250_000_000 {
		t.Errorf("%d suspended executions take %d MB", n, took/1_000_000)
	}
	if said < took/2 || said > 4*took {
		t.Errorf("they take %d bytes each, but say %d", took/n, said/n)
	}
	for _, s := range suspended {
		s.Close()
	}
}
