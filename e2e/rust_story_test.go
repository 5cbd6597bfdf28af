//go:build rust

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
	"github.com/duroxide/duroxide-go/migrations"
)

// The same code leaves the same histories whether Go runs it, Rust, or both in
// turns.
func TestRustStories(t *testing.T) {
	t.Parallel()
	tell := func(t *testing.T, workers ...func(*rustWorld, *testing.T) func()) map[string][]core.Event {
		t.Helper()
		w := newRustWorld(t)
		w.migrate(t, migrations.Apply)
		for _, start := range workers {
			stop := start(w, t)
			defer stop()
		}
		return w.tellStories(t)
	}
	byGo, byRust := (*rustWorld).goWorker, (*rustWorld).rustWorker
	want := tell(t, byGo)
	t.Run("Rust", func(t *testing.T) {
		t.Parallel()
		equal(t, "histories of Go and of Rust", want, tell(t, byRust))
	})
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		equal(t, "histories of Go and of both", want, tell(t, byGo, byRust))
	})
}

// tellStories runs orchestrations to their ends and returns the histories of all
// instances, without what differs from run to run or from version to version.
func (w *rustWorld) tellStories(t *testing.T) map[string][]core.Event {
	t.Helper()
	client := w.client(t)
	until := func(what, query string, args ...any) {
		t.Helper()
		until(t, w.ctx, what, func() bool {
			const failure = `SELECT coalesce(max(output), '') FROM @.executions WHERE instance_id = 'all' AND status = 'Failed'`
			if output := value[string](t, w.world, failure); output != "" {
				t.Fatalf("%s: the story fails: %s", what, output)
			}
			return value[int](t, w.world, query, args...) == 1
		})
	}
	status := func(id, want string) {
		t.Helper()
		until(id+" does not come to: "+want, `SELECT count(*) FROM @.instances WHERE instance_id = $1 AND custom_status = $2`, id, want)
	}

	must(t, client.Start(w.ctx, "sleep", "sleeper", ""))
	status("sleeper", "asleep")
	must(t, client.Cancel(w.ctx, "sleeper", "enough"))
	asleep := "asleep"
	equal(t, "the cancelled", ending{string(core.StatusFailed), "canceled: enough", &asleep}, w.wait(t, client, "sleeper"))

	must(t, client.Start(w.ctx, "everything", "all", "trip"))
	status("all", "waiting for a letter")
	must(t, client.EnqueueMessage(w.ctx, "all", "letters", "first letter"))
	status("all", "waiting to go")
	must(t, client.EnqueueMessage(w.ctx, "all", "letters", "second letter"))
	until("the second letter is not delivered", `SELECT count(*) FROM @.history WHERE event_data LIKE '%second letter%'`)
	must(t, client.RaiseEvent(w.ctx, "all", "go", "now"))
	going := "waiting to go"
	equal(t, "the story", ending{
		string(core.StatusCompleted),
		"TRIP, 2, 4, 6, no way, no retry, IN SESSION, child of good, a bad child, child of named, first letter, now; trip; waiting to go; second letter",
		&going,
	}, w.wait(t, client, "all"))
	w.nothingLeft(t)
	w.replay(t, client)
	return w.histories(t)
}

// replay replays what was recorded with Go's code, turn by turn.
func (w *rustWorld) replay(t *testing.T, client *durable.Client) {
	t.Helper()
	reg := durable.NewRegistry()
	must(t, reg.Add(rustTwins()...))
	dir := t.TempDir()
	for i, id := range []string{"sleeper", "all"} {
		file, err := os.Create(filepath.Join(dir, fmt.Sprint(i, durabletest.FileSuffix)))
		must(t, err)
		must(t, client.ExportHistory(w.ctx, file, id, &durable.ExportOptions{AllExecutions: true}))
		must(t, file.Close())
	}
	report, err := durabletest.Check(reg, &durabletest.CheckOptions{StrictInputs: true, Exact: true}, dir)
	must(t, err)
	equal(t, "what a replay does otherwise", &durabletest.Report{Executions: 3, Turns: report.Turns}, report)
}

func (w *rustWorld) histories(t *testing.T) map[string][]core.Event {
	t.Helper()
	histories := map[string][]core.Event{}
	rows, err := w.Pool.Query(w.ctx, w.sql(`SELECT instance_id, execution_id, event_data FROM @.history ORDER BY instance_id, execution_id, event_id`))
	must(t, err)
	var instance, text string
	var execution uint64
	_, err = pgx.ForEachRow(rows, []any{&instance, &execution, &text}, func() error {
		ev, err := core.DecodeEvent([]byte(text))
		// Until a later version Rust leaves them empty in OrchestrationFailed.
		if ev.InstanceID == "" && ev.ExecutionID == 0 {
			ev.InstanceID, ev.ExecutionID = instance, execution
		}
		histories[instance] = append(histories[instance], ev)
		return err
	})
	must(t, err)
	for _, events := range histories {
		withoutChance(events)
	}
	return histories
}

// withoutChance takes away what differs: times, random results, the order in
// which activities end that ran at once, and what this version of Rust leaves out.
func withoutChance(events []core.Event) {
	type call struct{ execution, id uint64 }
	random := map[call]bool{}
	for i := range events {
		ev := &events[i]
		ev.TimestampMs = 0
		switch d := ev.Data.(type) {
		case core.OrchestrationStarted:
			d.ParentExecutionID = nil // Rust records it from a later version
			ev.Data = d
		case core.ActivityScheduled:
			random[call{ev.ExecutionID, ev.ID}] = strings.HasPrefix(d.Name, core.SyscallPrefix)
		case core.ActivityCompleted:
			if random[call{ev.ExecutionID, *ev.SourceID}] {
				ev.Data = core.ActivityCompleted{Result: "random"}
			}
		case core.TimerCreated:
			d.FireAtMs = 0
			ev.Data = d
		case core.TimerFired:
			d.FireAtMs = 0
			ev.Data = d
		case core.KeyValueSet:
			d.LastUpdatedAtMs = 0
			ev.Data = d
		}
	}
	for rest := events; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(ev core.Event) bool { return ev.Data.EventType() != "ActivityCompleted" })
		if n < 0 {
			n = len(rest)
		}
		first := rest[0].ID
		slices.SortFunc(rest[:n], func(a, b core.Event) int { return int(*a.SourceID) - int(*b.SourceID) })
		for i := range rest[:n] {
			rest[i].ID = first + uint64(i)
		}
		rest = rest[max(n, 1):]
	}
}
