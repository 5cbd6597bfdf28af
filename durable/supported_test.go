package durable_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
)

// TestSupportedVersions has processes of two versions share a store: an
// execution is pinned to the version that began it.
func TestSupportedVersions(t *testing.T) {
	const child = durable.Orchestration[string, string]("child")
	v := core.MustParseVersion
	registrations := append(code(func(ctx *durable.Context, in string) (string, error) {
		if _, err := durable.WaitEvent[string](ctx, "go").Await(ctx); err != nil {
			return "", err
		}
		return child.Call(ctx, in)
	}), child.With(echo))
	process := func(stamp, from, to string) *durable.Options {
		return &durable.Options{VersionStamp: stamp, SupportedVersions: &core.VersionRange{Min: v(from), Max: v(to)}}
	}
	pinned := func(e *env, id string) string {
		e.Helper()
		history, err := e.client.History(e.ctx, id)
		if err != nil {
			e.Fatal(err)
		}
		return history[0].DuroxideVersion
	}
	running := func(e *env, id string) {
		e.Helper()
		time.Sleep(time.Hour)
		if s, err := e.client.Status(e.ctx, id); err != nil || s.State != core.StatusRunning {
			e.Errorf("%s: %+v, %v; want it to wait", id, s, err)
		}
	}
	t.Run("each process takes its band", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(process("0.1.31", "0.0.0", "0.1.31"), registrations...)
			old := begin(e, main, "old", "a")
			e.raise("old", "other", "") // the instance is there
			stop()
			stop = e.start(process("0.2.0", "0.2.0", "0.2.0"), registrations...)
			fresh := begin(e, main, "fresh", "b")
			e.raise("old", "go", "")
			e.raise("fresh", "go", "")
			wantRun(e, fresh, "b")
			running(e, "old")
			if got := pinned(e, "fresh"); got != "0.2.0" {
				t.Errorf("fresh is pinned to %s", got)
			}
			stop()
			e.start(process("0.1.31", "0.0.0", "0.1.31"), registrations...)
			wantRun(e, old, "a")
		})
	})
	t.Run("with ranges that overlap either goes on, and a child has its own version", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(process("0.1.31", "0.0.0", "0.2.0"), registrations...)
			run := begin(e, main, "i", "a")
			e.raise("i", "other", "")
			stop()
			e.start(process("0.2.0", "0.0.0", "0.2.0"), registrations...)
			e.raise("i", "go", "")
			wantRun(e, run, "a")
			kid := "i::sub::5" // after the start, the wait and two events
			if diff := cmp.Diff([]string{"0.1.31", "0.2.0"}, []string{pinned(e, "i"), pinned(e, kid)}); diff != "" {
				t.Errorf("pinned (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("by default older ones, not those of the future", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(e *env) {
			stop := e.start(process("0.1.0", "0.0.0", "0.1.0"), registrations...)
			old := begin(e, main, "old", "a")
			e.raise("old", "other", "")
			stop()
			stop = e.start(process("9.0.0", "9.0.0", "9.0.0"), registrations...)
			begin(e, main, "future", "b")
			e.raise("future", "other", "")
			stop()
			var log lockedBuffer
			e.start(&durable.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, registrations...)
			e.raise("old", "go", "")
			e.raise("future", "go", "")
			wantRun(e, old, "a")
			running(e, "future")
			if text := log.String(); strings.Count(text, "supported_range=\">=0.0.0, <=") != 1 {
				t.Errorf("the start does not tell the range once:\n%s", text)
			}
		})
	})
}

// TestClientConcurrently: one client serves many goroutines.
func TestClientConcurrently(t *testing.T) {
	t.Parallel()
	withRuntime(t, code(echo), func(e *env) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				id := fmt.Sprint("i", i)
				run, err := main.Start(e.ctx, e.client, id, id)
				if err != nil {
					t.Error(err)
					return
				}
				if out, err := run.Wait(e.ctx); err != nil || out != id {
					t.Errorf("%q, %v", out, err)
				}
				if _, err := e.client.Status(e.ctx, "nobody"); !errors.Is(err, durable.ErrInstanceNotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}
