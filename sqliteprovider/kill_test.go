package sqliteprovider_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// processEnv is set for a process of the test, to the path of its file, and
// halfwayEnv for one that stops in the middle of a transaction.
const (
	processEnv = "SQLITEPROVIDER_TEST_FILE"
	halfwayEnv = "SQLITEPROVIDER_TEST_HALFWAY"
)

// process serves the file until it is killed.
func process(path string) int {
	ctx := context.Background()
	p, err := sqliteprovider.Open(ctx, path, nil)
	if err == nil && os.Getenv(halfwayEnv) != "" {
		err = halfway(ctx, p)
	} else if err == nil {
		fmt.Println("open")
		s := server{p, func(what string) { fmt.Println(what) }}
		err = s.serve(ctx)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// A server is a small runtime. Every instance runs one activity and ends.
type server struct {
	*sqliteprovider.Provider
	did func(what string)
}

// short is the lease of a server, after which another takes its work over.
const short = time.Second

// serve works until the context ends.
func (s server) serve(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for _, loop := range []func(context.Context) error{s.turn, s.turn, s.activity, s.activity} {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := loop(ctx)
				// A lock can expire on a slow machine, and a file can be busy.
				if err != nil && !errors.Is(err, core.ErrLockLost) && !core.IsRetryable(err) && ctx.Err() == nil {
					errs <- err
					stop()
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

func (s server) turn(ctx context.Context) error {
	item, err := s.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: short, PollTimeout: patience})
	if err != nil || item == nil {
		return err
	}
	s.did("turn")
	id := item.Instance
	ack := core.AckOrchestrationItemParams{LockToken: item.LockToken, ExecutionID: 1, Metadata: core.ExecutionMetadata{
		OrchestrationName: &item.OrchestrationName, OrchestrationVersion: &item.Version,
	}}
	for _, m := range item.Messages {
		switch m := m.(type) {
		case core.StartOrchestrationItem:
			ack.HistoryDelta = append(ack.HistoryDelta,
				event(id, 1, core.OrchestrationStarted{Name: "Orch", Version: "1", Input: m.Input}),
				event(id, 2, core.ActivityScheduled{Name: "Act", Input: m.Input}))
			ack.WorkerItems = append(ack.WorkerItems, activity(id, 2))
		case core.ActivityCompletedItem:
			ack.HistoryDelta = append(ack.HistoryDelta,
				event(id, 3, core.ActivityCompleted{Result: m.Result}), event(id, 4, core.OrchestrationCompleted{Output: m.Result}))
			ack.Metadata.Status = core.StatusCompleted
		}
	}
	return s.AckOrchestrationItem(ctx, ack)
}

func (s server) activity(ctx context.Context) error {
	item, err := s.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: short, PollTimeout: patience})
	if err != nil || item == nil {
		return err
	}
	s.did("activity")
	a := item.Item.(core.ActivityExecuteItem)
	return s.AckWorkItem(ctx, core.AckWorkItemParams{
		LockToken:  item.LockToken,
		Completion: core.ActivityCompletedItem{Instance: a.Instance, ExecutionID: a.ExecutionID, ID: a.ID, Result: "ok"},
	})
}

// Processes that serve one file are killed in the middle of their work, and
// this one serves it too. Nothing is lost and nothing happens twice.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	p := openAt(t, path)
	const instances, kills = 60, 3
	for n := range instances {
		send(t, p, start(fmt.Sprintf("i%02d", n)))
	}
	for range kills {
		killAfter(t, path, 15, func() {})
	}
	// Another one while this process works.
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	killAfter(t, path, 3, func() {
		go func() { served <- server{p, func(string) {}}.serve(ctx) }()
	})
	deadline := time.Now().Add(2 * patience)
	for {
		m, err := p.GetSystemMetrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.CompletedInstances == instances {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not done in time: %+v", m)
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := await(t, served); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}

	want := []string{
		core.TypeOrchestrationStarted, core.TypeActivityScheduled, core.TypeActivityCompleted, core.TypeOrchestrationCompleted,
	}
	for n := range instances {
		events, err := p.Read(t.Context(), core.ReadParams{Instance: fmt.Sprintf("i%02d", n)})
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range events {
			types = append(types, e.Data.EventType())
		}
		if diff := cmp.Diff(want, types); diff != "" {
			t.Errorf("instance %d: %s", n, diff)
		}
	}
	depths, err := p.GetQueueDepths(t.Context())
	if err != nil || *depths != (core.QueueDepths{}) {
		t.Errorf("left in the queues: %+v, %v", depths, err)
	}
	check, err := sqliteprovider.QueryColumn[string](t.Context(), p, `PRAGMA integrity_check`)
	if diff := cmp.Diff([]string{"ok"}, check); diff != "" || err != nil {
		t.Errorf("integrity check: %v\n%s", err, diff)
	}
}

// halfway claims an instance and an activity, and then says that it is open in
// the middle of a transaction that makes away with both.
func halfway(ctx context.Context, p *sqliteprovider.Provider) error {
	if _, err := p.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{LockTimeout: lease}); err != nil {
		return err
	}
	if _, err := p.FetchWorkItem(ctx, core.FetchWorkItemParams{LockTimeout: lease}); err != nil {
		return err
	}
	return sqliteprovider.Hold(ctx, p, func() {
		fmt.Println("open")
		time.Sleep(2 * patience) // the end comes from outside
	},
		`DELETE FROM orchestrator_queue`, `DELETE FROM worker_queue`, `DELETE FROM instance_locks`,
		// More than fits into memory, so that the file itself is half written.
		`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
		 INSERT INTO history SELECT 'turn', 1, n, 0, 'Half', printf('%.4000c', 'x') FROM n`)
}

// A process is killed in the middle of a transaction, with an instance and an
// activity in its hands. The transaction has not been, others write at once,
// and what was claimed is theirs when the leases end and not before.
func TestKilledInTransaction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	p := openAt(t, path)
	hasty := openAt(t, path, func(o *sqliteprovider.Options) { o.BusyTimeout = time.Millisecond })
	send(t, p, start("turn"), activity("work", 2))
	blocked := make(chan error, 1)
	killAfter(t, path, 0, func() {
		later := core.EnqueueForOrchestratorParams{Item: start("later")}
		if err := hasty.EnqueueForOrchestrator(t.Context(), later); !core.IsRetryable(err) {
			t.Errorf("in the middle of the transaction: %v, want a busy file", err)
		}
		if wal, err := os.Stat(path + "-wal"); err != nil || wal.Size() < 4<<20 {
			t.Errorf("the transaction has not reached the file: %v, error %v", wal, err)
		}
		go func() { blocked <- p.EnqueueForOrchestrator(t.Context(), later) }()
	}, halfwayEnv+"=1")
	if err := await(t, blocked); err != nil {
		t.Errorf("waited for the killed process: %v", err)
	}

	if item := turn(t, p); item == nil || item.Instance != "later" {
		t.Errorf("fetched %+v, want what nobody held", item)
	}
	if item, claimed := turn(t, p), work(t, p); item != nil || claimed != nil {
		t.Errorf("fetched %+v and %+v while their leases live", item, claimed)
	}
	after := openAt(t, path, func(o *sqliteprovider.Options) {
		o.Clock = core.OffsetClock(core.SystemClock(), lease+time.Minute)
	})
	item, claimed := turn(t, after), work(t, after)
	if item == nil || item.Instance != "turn" || item.AttemptCount != 2 || len(item.Messages) != 1 || len(item.History) != 0 {
		t.Errorf("taken over %+v, want the start at its second attempt", item)
	}
	if claimed == nil || claimed.AttemptCount != 2 || claimed.Item.(core.ActivityExecuteItem).ID != 2 {
		t.Errorf("taken over %+v, want the activity at its second attempt", claimed)
	}
	check, err := sqliteprovider.QueryColumn[string](t.Context(), p, `PRAGMA integrity_check`)
	if diff := cmp.Diff([]string{"ok"}, check); diff != "" || err != nil {
		t.Errorf("integrity check: %v\n%s", err, diff)
	}
}

// killAfter starts a process, calls opened when it has opened the file, and kills
// it when it has begun that many turns and activities.
func killAfter(t *testing.T, path string, steps int, opened func(), env ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), processEnv+"="+path), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := range 1 + steps {
		if !lines.Scan() {
			t.Error("the process made no progress")
			break
		}
		if n == 0 {
			opened()
		}
	}
	_ = cmd.Process.Kill() // the time-out may have done it
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
}
