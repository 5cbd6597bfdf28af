package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const commandVariable = "PGTEST_TEST_COMMAND"

// TestMain makes the test binary the command itself as well.
func TestMain(m *testing.M) {
	if os.Getenv(commandVariable) != "" {
		if err := os.Unsetenv(commandVariable); err != nil {
			panic(err)
		}
		main()
	}
	goleak.VerifyTestMain(m)
}

func pgtest(ctx context.Context, t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), commandVariable+"=1", "DATABASE_URL=", "PGTEST_SOURCE=")
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stderr
}

func TestCommandGetsServer(t *testing.T) {
	t.Parallel()
	cmd, stderr := pgtest(t.Context(), t, "--", "sh", "-c", `echo "$PGTEST_SOURCE $DATABASE_URL"; exit 3`)
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("%v, want exit code 3: %s", err, stderr)
	}
	if !strings.HasPrefix(string(out), "url postgres://postgres:") {
		t.Errorf("output %q", out)
	}
	if !strings.Contains(stderr.String(), "pgtest: PostgreSQL ") || strings.Contains(stderr.String(), "postgres://") {
		t.Errorf("messages %q", stderr)
	}
}

func TestCommandUsesRunningServer(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, stderr := pgtest(t.Context(), t, "--", "env", commandVariable+"=1", self, "-durable", "--", "true")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	if !strings.Contains(stderr.String(), "from DATABASE_URL at 127.0.0.1:") {
		t.Errorf("messages %q", stderr)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		env  string
		code int
		want string
	}{
		"help":            {args: []string{"--help"}, code: 0},
		"no command":      {code: exitUsage, want: "pgtest: no command given\nusage: "},
		"only dashes":     {args: []string{"--"}, code: exitUsage, want: "no command given"},
		"unknown flag":    {args: []string{"-x", "--", "true"}, code: exitUsage, want: "-x"},
		"bad variable":    {args: []string{"true"}, env: "PGTEST_SOURCE=x", code: exitFailure, want: `pgtest: PGTEST_SOURCE="x": want url, local or embedded`},
		"no server":       {args: []string{"true"}, env: "PGTEST_SOURCE=url", code: exitFailure, want: "DATABASE_URL is not set"},
		"command killed":  {args: []string{"sh", "-c", "kill -KILL $$"}, code: exitSignalBase + int(syscall.SIGKILL), want: "PostgreSQL"},
		"command missing": {args: []string{"/no/such/command"}, code: exitNotRun, want: "/no/such/command"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, stderr := pgtest(t.Context(), t, tc.args...)
			cmd.Env = append(cmd.Env, tc.env)
			err := cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != tc.code {
				t.Errorf("%v, want exit code %d", err, tc.code)
			}
			if !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("messages %q, want %q", stderr, tc.want)
			}
		})
	}
}

func TestSignalReachesCommand(t *testing.T) {
	t.Parallel()
	cmd, stderr := pgtest(t.Context(), t, "--", "sh", "-c", `trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("%v, want exit code 7: %s", err, stderr)
	}
}
