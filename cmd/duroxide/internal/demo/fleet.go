package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stopGrace is how long workers may take to finish what they are doing.
const stopGrace = 15 * time.Second

// fleet are the worker processes. The parent owns each from its start until it
// has waited for its end. A fleet is used from one goroutine.
type fleet struct {
	options Options
	store   *store
	workers []*worker
	died    chan *worker // workers that ended without being told to
}

// worker is one process.
type worker struct {
	name     string
	pid      int
	cmd      *exec.Cmd
	stdin    io.Closer
	output   tail
	expected atomic.Bool // its end is
	ended    chan struct{}
	err      error // how it ended, once ended is closed
}

func newFleet(o Options, st *store) *fleet {
	return &fleet{options: o, store: st, died: make(chan *worker, 2*o.Workers+2)}
}

// start starts the next worker.
func (f *fleet) start(ctx context.Context) (*worker, error) {
	w := &worker{name: fmt.Sprintf("worker-%d", len(f.workers)+1), ended: make(chan struct{})}
	args := slices.Concat(f.options.Command, f.store.workerArgs, []string{"--name", w.name})
	// Its end is ours to decide, not the context's.
	w.cmd = exec.CommandContext(context.WithoutCancel(ctx), f.options.Program, args...)
	w.cmd.Env = append(os.Environ(), f.store.workerEnv...)
	w.cmd.Stdout, w.cmd.Stderr = &w.output, &w.output
	stdin, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", w.name, err)
	}
	w.stdin = stdin
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", w.name, err)
	}
	w.pid = w.cmd.Process.Pid
	f.workers = append(f.workers, w)
	go func() {
		w.err = w.cmd.Wait()
		close(w.ended)
		if !w.expected.Load() {
			f.died <- w
		}
	}()
	return w, nil
}

// live returns the workers that were not told to end.
func (f *fleet) live() []*worker {
	return slices.DeleteFunc(slices.Clone(f.workers), func(w *worker) bool { return w.expected.Load() })
}

// kill ends a worker with SIGKILL, as a crash would, and waits until it is gone.
func (f *fleet) kill(w *worker) error {
	w.expected.Store(true)
	if err := w.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", w.name, err)
	}
	<-w.ended
	return nil
}

// stop tells all workers to finish, and waits for them. One that does not end in
// time is killed, which is an error. Calling it again does nothing.
func (f *fleet) stop() error {
	live := f.live()
	for _, w := range live {
		w.expected.Store(true)
		_ = w.stdin.Close() // an error means that it is gone already
	}
	var errs []error
	late := time.After(stopGrace)
	for _, w := range live {
		select {
		case <-w.ended:
			if w.err != nil {
				errs = append(errs, w.failure())
			}
		case <-late:
			late = time.After(0) // for the others too
			errs = append(errs, fmt.Errorf("%s (pid %d) did not stop within %s", w.name, w.pid, stopGrace))
			errs = append(errs, w.cmd.Process.Kill())
			<-w.ended
		}
	}
	return errors.Join(errs...)
}

// failure says how a worker ended by itself, with the last it said.
func (w *worker) failure() error {
	how := "ended"
	if w.err != nil {
		how = w.err.Error()
	}
	text := strings.TrimSpace(w.output.String())
	if text != "" {
		text = "; its last words:\n" + text
	}
	return fmt.Errorf("%s (pid %d) ended by itself: %s%s", w.name, w.pid, how, text)
}

// tail keeps the last of what is written to it. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 4096

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - maxTail; extra > 0 {
		t.text = slices.Delete(t.text, 0, extra)
	}
	return len(p), nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
