package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/duroxide/duroxide-go/pgtest/server"
)

const usage = `usage: go run ./pgtest [-durable] -- COMMAND [ARGUMENT…]

Runs COMMAND with DATABASE_URL set to a PostgreSQL server. The server is the
one that DATABASE_URL names already, else one that is started and stopped here:
from programs on this machine, else from programs that are fetched once.

  -durable  flush to disk (fsync on), for measurements

Environment, also read from a file .env up to the root of the repository:

  DATABASE_URL    a server to use as it is
  PGTEST_SOURCE   url, local or embedded: this source only
  PGTEST_VERSION  refuse other versions of the server: 17, or 16.4

Exits with COMMAND's exit code, 128 plus the signal that ended COMMAND, 127 if
COMMAND cannot be run, 1 if there is no server, 2 after a wrong usage.
`

// Exit codes besides COMMAND's own.
const (
	exitFailure    = 1
	exitUsage      = 2
	exitNotRun     = 127
	exitSignalBase = 128
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	say := func(format string, args ...any) { fmt.Fprintf(stderr, "pgtest: "+format+"\n", args...) }

	flags := flag.NewFlagSet("pgtest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {} // printed below, to the right place
	durable := flags.Bool("durable", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprint(stderr, usage)
		return exitUsage
	case flags.NArg() == 0:
		say("no command given")
		fmt.Fprint(stderr, usage)
		return exitUsage
	}

	// Caught from here on, so that no signal can leave the server behind.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	srv, sig, err := start(ctx, signals, &server.Options{Durable: *durable, Logf: say})
	if err != nil {
		say("%v", err)
		return exitFailure
	}
	code := exitSignalBase
	if sig == nil {
		say("%s", srv.Description)
		code = runCommand(ctx, srv.URL, flags.Args(), signals, say)
	} else if s, ok := sig.(syscall.Signal); ok {
		code += int(s)
	}
	if err := srv.Stop(); err != nil {
		say("stopping the server: %v", err)
		if code == 0 {
			code = exitFailure
		}
	}
	return code
}

// start gives up at the first signal. If that comes too late it returns both the
// server and the signal.
func start(ctx context.Context, signals <-chan os.Signal, opts *server.Options) (*server.Server, os.Signal, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type result struct {
		srv *server.Server
		err error
	}
	done := make(chan result, 1)
	go func() {
		srv, err := server.Start(ctx, opts)
		done <- result{srv, err}
	}()
	select {
	case r := <-done:
		return r.srv, nil, r.err
	case sig := <-signals:
		cancel(fmt.Errorf("got signal: %v", sig))
		r := <-done
		return r.srv, sig, r.err
	}
}

func runCommand(ctx context.Context, url string, args []string, signals <-chan os.Signal, say func(string, ...any)) int {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// What COMMAND starts through package server is to use this server too.
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url, "PGTEST_SOURCE="+string(server.SourceURL))
	if err := cmd.Start(); err != nil {
		say("%v", err)
		return exitNotRun
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	typed := isTerminal(os.Stdin)
	for {
		select {
		case sig := <-signals:
			// The terminal has sent an interrupt to COMMAND as well; a second
			// one would mean "at once" to many programs.
			if sig != os.Interrupt || !typed {
				_ = cmd.Process.Signal(sig) // fails only if COMMAND has ended
			}
		case err := <-ended:
			return exitCode(err, say)
		}
	}
}

func exitCode(err error, say func(string, ...any)) int {
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		say("%v", err)
		return exitFailure
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalBase + int(status.Signal())
	}
	return exit.ExitCode()
}

// isTerminal takes every character device but the null device for a terminal.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
