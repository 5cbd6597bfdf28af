package durabletest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

// BenchmarkCheck replays histories turn by turn, each turn on all before it.
func BenchmarkCheck(b *testing.B) {
	const (
		step = durable.Activity[int, int]("step")
		loop = durable.Orchestration[int, int]("loop")
	)
	reg := durable.NewRegistry()
	if err := reg.Add(
		step.With(func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		loop.With(func(ctx *durable.Context, n int) (int, error) {
			var err error
			for i := 0; i < n && err == nil; i++ {
				_, err = step.Call(ctx, i)
			}
			return n, err
		}),
	); err != nil {
		b.Fatal(err)
	}
	for name, steps := range map[string]int{"100 events": 50, "1000 events": 500, "10000 events": 5000} {
		b.Run(name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "loop"+durabletest.FileSuffix)
			recordLoop(b, reg, loop, steps, file)
			for b.Loop() {
				report, err := durabletest.Check(reg, nil, file)
				if err != nil || report.Turns != steps+1 || len(report.Differences) > 0 {
					b.Fatalf("%+v, %v", report, err)
				}
			}
		})
	}
}

// recordLoop runs an instance on a runtime of its own and writes its history.
func recordLoop(b *testing.B, reg *durable.Registry, loop durable.Orchestration[int, int], steps int, file string) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	p := memprovider.New(nil)
	rt, err := durable.NewRuntime(p, reg, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := rt.Start(ctx); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rt.Shutdown(ctx) }()
	client := durable.NewClient(p, nil)
	run, err := loop.Start(ctx, client, "loop", steps)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		b.Fatal(err)
	}
	var text bytes.Buffer
	if err := client.ExportHistory(ctx, &text, "loop", nil); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
}
