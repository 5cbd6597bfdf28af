//go:build rust

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/migrations/migrationstest"
)

const (
	// rustVersion is what the pinned Rust runtime stamps its events with, and
	// so the highest stamp that it takes from others.
	rustVersion = "0.1.29"
	// rustLock is that of the Rust workers.
	rustLock = 5 * time.Second
	// rustPatience bounds a test with Rust processes; only a failure waits for it.
	rustPatience = 5 * time.Minute
)

// rustProgram builds the program in folder rust, once for all tests, and returns
// its path. The first time this takes minutes.
var rustProgram = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("cargo", "build", "--locked", "--quiet", "--message-format=json-render-diagnostics")
	cmd.Dir = "rust"
	var report, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cargo build in e2e/rust: %w\n%s", err, &problems)
	}
	for dec := json.NewDecoder(&report); dec.More(); {
		var message struct{ Executable string }
		if err := dec.Decode(&message); err != nil {
			return "", fmt.Errorf("cargo's report: %w", err)
		}
		if message.Executable != "" {
			return filepath.Abs(message.Executable)
		}
	}
	return "", fmt.Errorf("cargo reports no executable:\n%s", &report)
})

// rustWorld is a schema that both sides use.
type rustWorld struct{ *world }

// newRustWorld makes a schema without any migration.
func newRustWorld(t *testing.T) *rustWorld {
	t.Helper()
	_, err := rustProgram()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), rustPatience)
	t.Cleanup(cancel)
	return &rustWorld{&world{DB: migrationstest.NewEmpty(t), ctx: ctx}}
}

// migrate is what Go's side of a schema does and its providers will ask for.
func (w *rustWorld) migrate(t *testing.T, policy migrations.Policy) {
	t.Helper()
	w.policy = policy
	result, err := migrations.RunPool(w.ctx, w.Pool, &migrations.Options{Schema: w.Schema, Policy: policy})
	must(t, err)
	equal(t, "foreign bodies", nil, result.ForeignBodies)
}

func (w *rustWorld) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := rustProgram()
	must(t, err)
	cmd := exec.CommandContext(w.ctx, program, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+os.Getenv("DATABASE_URL"))
	return cmd
}

// rust runs a command of the Rust program on the schema and returns what it
// prints.
func (w *rustWorld) rust(t *testing.T, command string, args ...string) (string, error) {
	t.Helper()
	cmd := w.command(t, append([]string{command, w.Schema}, args...)...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("duroxide-e2e %s: %w: %s", command, err, &problems)
	}
	return strings.TrimSpace(string(out)), err
}

func (w *rustWorld) rustMigrate(t *testing.T) {
	t.Helper()
	_, err := w.rust(t, "migrate")
	must(t, err)
}

func (w *rustWorld) rustStart(t *testing.T, instance, orchestration, input string) {
	t.Helper()
	_, err := w.rust(t, "start", instance, orchestration, input)
	must(t, err)
}

// ending is how an instance ended, as either client sees it.
type ending struct {
	State        string  `json:"state"`
	Text         string  `json:"text"` // the output, or the error's text
	CustomStatus *string `json:"custom_status"`
}

// wait waits for the end of an instance with both clients, which must agree.
func (w *rustWorld) wait(t *testing.T, client *durable.Client, instance string) ending {
	t.Helper()
	s, err := client.Wait(w.ctx, instance)
	must(t, err)
	end := ending{State: string(s.State), Text: s.Output, CustomStatus: s.CustomStatus}
	if s.Failure != nil {
		end.Text = s.Failure.Error()
	}
	text, err := w.rust(t, "wait", instance)
	must(t, err)
	var seen ending
	must(t, json.Unmarshal([]byte(text), &seen))
	equal(t, "the end of "+instance+" as Go and as Rust sees it", end, seen)
	return end
}

func (w *rustWorld) waitFor(t *testing.T, client *durable.Client, instance, output string) {
	t.Helper()
	equal(t, "the end of "+instance, ending{State: string(core.StatusCompleted), Text: output}, w.wait(t, client, instance))
}

// rustWorker starts a Rust worker and returns what ends it in good order.
func (w *rustWorld) rustWorker(t *testing.T) (stop func()) {
	t.Helper()
	p := w.startRustWorker(t, "rust")
	return func() {
		t.Helper()
		must(t, p.stdin.Close())
		p.ended(t)
	}
}

func (w *rustWorld) startRustWorker(t *testing.T, name string) *workerProcess {
	t.Helper()
	return startWorker(t, w.ctx, name, w.command(t, "work", w.Schema, name))
}

// goWorker starts a Go worker and returns what ends it in good order. Whatever
// differs from what Rust has recorded fails the instance.
func (w *rustWorld) goWorker(t *testing.T) (stop func()) {
	t.Helper()
	rt := w.run(t, &durable.Options{
		VersionStamp: rustVersion, Nondeterminism: durable.Fail, StrictInputs: true,
		Tags:                core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"go"}},
		UnregisteredBackoff: 100 * time.Millisecond, UnregisteredBackoffMax: 100 * time.Millisecond,
		MaxAttempts:  1000, // what only Rust knows comes again and again
		InstanceLock: rustLock, ActivityLock: rustLock,
		PollTimeout: time.Second,
	}, rustTwins()...)
	return func() {
		t.Helper()
		must(t, rt.Shutdown(w.ctx))
	}
}

// serveTogether shows on a schema that either side finishes what the other
// started, and that an orchestration of either calls an activity of the other.
func (w *rustWorld) serveTogether(t *testing.T) {
	t.Helper()
	client := w.client(t)

	stopRust := w.rustWorker(t)
	must(t, client.Start(w.ctx, "salute", "go starts", "ann"))
	w.waitFor(t, client, "go starts", "hello ANN 42")
	stopRust()

	stopGo := w.goWorker(t)
	w.rustStart(t, "rust starts", "salute", "bob")
	w.waitFor(t, client, "rust starts", "hello BOB 42")

	stopRust = w.rustWorker(t)
	must(t, client.Start(w.ctx, "go-asks", "go asks", "what"))
	w.rustStart(t, "rust asks", "rust-asks", "who")
	w.waitFor(t, client, "go asks", "rust got what, says go")
	w.waitFor(t, client, "rust asks", "go got who, says rust")
	w.nothingLeft(t)
	stopRust()
	stopGo()
	w.recordedOnce(t)
}

// recordedOnce checks that each schedule in the histories has one completion and
// each instance one end. The kind of an event is looked for in its text: Rust
// leaves the column event_type without a meaning.
func (w *rustWorld) recordedOnce(t *testing.T) {
	t.Helper()
	const events = `WITH events AS (SELECT instance_id, execution_id, event_id, d ->> 'type' AS kind,
		(d ->> 'source_event_id')::bigint AS source FROM @.history, CAST(event_data AS jsonb) d) `
	equal(t, "schedules without one completion", 0, value[int](t, w.world, events+`
		SELECT count(*) FROM events s WHERE kind IN ('ActivityScheduled', 'TimerCreated') AND 1 <> (
			SELECT count(*) FROM events c WHERE kind IN ('ActivityCompleted', 'ActivityFailed', 'TimerFired')
				AND c.instance_id = s.instance_id AND c.execution_id = s.execution_id AND c.source = s.event_id)`))
	equal(t, "instances without one end", 0, value[int](t, w.world, events+`
		SELECT count(*) FROM @.instances i WHERE 1 <> (
			SELECT count(*) FROM events e WHERE e.instance_id = i.instance_id AND kind = 'OrchestrationCompleted')`))
	equal(t, "completions of nothing", 0, value[int](t, w.world, events+`
		SELECT count(*) FROM events c WHERE kind IN ('ActivityCompleted', 'TimerFired') AND NOT EXISTS (
			SELECT FROM events s WHERE kind IN ('ActivityScheduled', 'TimerCreated')
				AND c.instance_id = s.instance_id AND c.execution_id = s.execution_id AND c.source = s.event_id)`))
}
