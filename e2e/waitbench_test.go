package e2e_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

const waiter = durable.Orchestration[string, string]("waiter")

// BenchmarkWaitingInstances starts 10,000 instances with inputs of 4 kB that
// then wait for an event, all of them kept suspended, and reports the memory of
// the process.
func BenchmarkWaitingInstances(b *testing.B) {
	const instances = 10_000
	for b.Loop() {
		w := newWorld(b)
		ctx, cancel := context.WithTimeout(b.Context(), benchTime)
		defer cancel()
		provider := w.provider(b)
		rt := runOn(b, provider, &durable.Options{WarmInstances: instances, WarmBytes: 1 << 30}, waiter.With(
			func(ctx *durable.Context, in string) (string, error) {
				out, err := durable.WaitEvent[string](ctx, "go").Await(ctx)
				return out + in[:1], err
			}))
		client := durable.NewClient(provider, nil)
		ids := make(chan int)
		var starters sync.WaitGroup
		for range 16 {
			starters.Go(func() {
				for i := range ids {
					if _, err := waiter.Start(ctx, client, fmt.Sprint("waiting-", i), strings.Repeat("x", 4096)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for i := range instances {
			ids <- i
		}
		close(ids)
		starters.Wait()
		until(b, ctx, "not all instances are suspended", func() bool { return rt.WarmStats().Instances == instances })
		runtime.GC()
		b.ReportMetric(residentMB(b), "resident-MB")
		b.ReportMetric(float64(rt.WarmStats().Bytes)/1e6, "estimated-MB")
	}
}

// residentMB is the resident memory of the process.
func residentMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	must(b, err)
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 64)
			must(b, err)
			return n / 1000
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
