//go:build unix

package server

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// startHelper runs this test binary as a process that starts a server, with its
// temporary files in tmp.
func startHelper(t *testing.T, executable, tmp string, attr *syscall.SysProcAttr) (cmd *exec.Cmd, stdin io.Closer, stdout *bufio.Reader) {
	t.Helper()
	requireLocal(t)
	cmd = exec.CommandContext(t.Context(), executable)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), helperVariable+"=1", "PGTEST_SOURCE=local", "PGTEST_VERSION=", "TMPDIR="+tmp)
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, bufio.NewReader(out)
}

func TestKilledParentLeavesNothing(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, wait := range map[string]func(t *testing.T, tmp string, stdout *bufio.Reader){
		"running": func(t *testing.T, _ string, stdout *bufio.Reader) {
			url, err := stdout.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			conn, err := pgconn.Connect(t.Context(), strings.TrimSpace(url))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close(t.Context()) })
		},
		"before initdb": func(t *testing.T, tmp string, _ *bufio.Reader) { waitFor(t, filepath.Join(tmp, "pgtest-*")) },
		"in initdb": func(t *testing.T, tmp string, _ *bufio.Reader) {
			waitFor(t, filepath.Join(tmp, "pgtest-*/data/base/1"))
		},
		"starting": func(t *testing.T, tmp string, _ *bufio.Reader) { waitFor(t, filepath.Join(tmp, "pgtest-*/log")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := worldDir(t)
			cmd, _, stdout := startHelper(t, self, tmp, nil)
			wait(t, tmp, stdout)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // says: killed
			eventually(t, "the directory is gone", func() bool { return len(glob(t, filepath.Join(tmp, "*"))) == 0 })
			eventually(t, "all processes are gone", func() bool { return len(processesNaming(t, tmp)) == 0 })
		})
	}
}

// TestOtherUser starts a server from a process that is not root.
func TestOtherUser(t *testing.T) {
	t.Parallel()
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	if !acct.other {
		t.Skip("the other tests do this already: they do not run as root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	tmp := worldDir(t)
	reachable := filepath.Join(tmp, "helper")
	if err := os.WriteFile(reachable, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, stdin, stdout := startHelper(t, reachable, tmp, acct.sysProcAttr())
	url, err := stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	show(t, strings.TrimSpace(url), "fsync")
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if left := glob(t, filepath.Join(tmp, "pgtest-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func waitFor(t *testing.T, pattern string) {
	t.Helper()
	eventually(t, pattern+" exists", func() bool { return len(glob(t, pattern)) > 0 })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// processesNaming returns the command lines that contain text, where /proc tells
// them.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	for _, file := range glob(t, "/proc/[0-9]*/cmdline") {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(text)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}
