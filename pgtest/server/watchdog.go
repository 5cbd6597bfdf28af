package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
)

// watchdogScript makes the directory, and then waits on a pipe that the starting
// process holds. A line means that the server was stopped in order. The end of
// the file without a line means that the process is gone, however it ended: the
// kernel closes its pipes.
//
// The server may have been started so late that its note is not yet written, and
// initdb may still be at work and make the directory again: hence the pauses.
const watchdogScript = `
mkdir -m 700 "$3" || exit 1
exec > /dev/null 2>&1
read -r line && exit 0
[ -s "$1/postmaster.pid" ] || sleep 1
[ -s "$1/postmaster.pid" ] && "$2" stop --pgdata="$1" --mode=immediate --wait
for i in 1 2 3 4 5; do
	rm -rf "$3"
	sleep 1
	[ -e "$3" ] || exit 0
done
exit 1
`

// watchdog is a child that outlives a killed parent and cleans up after it. It is
// a pipe rather than Linux's parent-death signal, because that follows the thread
// that forked, not the process, and nobody would remove the directory.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startWatchdog returns when the cluster's directory is there. It is the watchdog
// that makes it, so that at no time it is there without one.
func startWatchdog(ctx context.Context, c *cluster) (*watchdog, error) {
	cmd := c.command(context.WithoutCancel(ctx), "sh", "-c", watchdogScript, "pgtest-watchdog",
		c.data(), filepath.Join(c.bin, "pg_ctl"), c.dir)
	cmd.Dir = "/" // the other does not exist
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// Ends where the script turns its output off.
	complaint, err := io.ReadAll(out)
	if err != nil || len(complaint) > 0 {
		return nil, errors.Join(fmt.Errorf("making a directory: %s", complaint), err, pipe.Close(), cmd.Wait())
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// dismiss ends the watchdog after an orderly stop.
func (w *watchdog) dismiss() error {
	_, err := io.WriteString(w.pipe, "stopped\n")
	return errors.Join(err, w.pipe.Close(), w.cmd.Wait())
}
