package replay_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// report is a log that tells when the first line is there.
type report struct {
	bytes.Buffer
	once sync.Once
	told chan struct{}
}

func (r *report) Write(p []byte) (int, error) {
	defer r.once.Do(func() { close(r.told) })
	return r.Buffer.Write(p)
}

// TestWatchdogAmongSuspended: the stack of the code that blocks is in the report
// however many executions are suspended, and theirs are not.
func TestWatchdogAmongSuspended(t *testing.T) {
	in := replay.Input{
		Instance: "i", Execution: 1, Stamp: "0.1.32", Now: time.Now, Start: &core.OrchestrationStarted{Name: "orch", Version: "1.0.0"},
		Handler: func(c *replay.Context, _ string) (string, error) { return waitsForEver(c), nil },
	}
	suspended := make([]*replay.Suspended, 3000)
	for i := range suspended {
		_, suspended[i] = replay.Begin(in)
	}
	r := &report{told: make(chan struct{})}
	in.SlowAfter, in.Logger = time.Millisecond, slog.New(slog.NewTextHandler(r, nil))
	in.Handler = func(*replay.Context, string) (string, error) { return blocks(r.told), nil }
	if out := replay.Run(in); out.Result != replay.Completed {
		t.Errorf("result %v", out.Result)
	}
	if text := r.String(); !strings.Contains(text, "replay_test.blocks") || strings.Contains(text, "waitsForEver") {
		t.Errorf("%d bytes of report, with the stack: %t, with others: %t",
			len(text), strings.Contains(text, "replay_test.blocks"), strings.Contains(text, "waitsForEver"))
	}
	for _, s := range suspended {
		s.Close()
	}
}

func waitsForEver(c *replay.Context) string { return must(c, c.Wait("go")) }

func blocks(c <-chan struct{}) string {
	<-c
	return ""
}
