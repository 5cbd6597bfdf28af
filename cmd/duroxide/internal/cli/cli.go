package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/duroxide/duroxide-go/migrations"
)

// app is one run of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// started is set once the command line was understood.
	started bool
}

// Main runs the command line and returns the exit code. It stops cleanly at the
// first SIGINT or SIGTERM; a second one ends the process at once.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*usageError](err); !a.started && !ok {
		err = &usageError{err}
	}
	code := exitCode(err)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = interrupted(err)
	}
	fmt.Fprintf(stderr, "%s: %s\n", cmd.CommandPath(), message(err))
	if code == exitUsage {
		fmt.Fprintf(stderr, "Run '%s --help' for how to use it.\n", cmd.CommandPath())
	}
	return code
}

// interrupted is the error of a run that was stopped, with what it left if it
// left something half done.
func interrupted(err error) error {
	if partial, ok := errors.AsType[*migrations.PartialError](err); ok {
		return fmt.Errorf("interrupted in %s: %s", partial.Failed.Name, partial.State)
	}
	return errors.New("interrupted")
}

func (a *app) root() *cobra.Command {
	root := group("duroxide", "Durable workflows on PostgreSQL: the operator's tool",
		"duroxide looks after durable workflows on PostgreSQL.\n\n"+exitCodesHelp, a.migrate(), a.export(), a.demo(), a.demoWorker())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = version()
	root.PersistentPreRun = func(*cobra.Command, []string) { a.started = true }
	return root
}

// group makes a command that only holds others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q: choose %s", args[0], strings.Join(names, " or "))
			}
			return usagef("no command given: choose %s", strings.Join(names, " or "))
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// version is the module's version as the build recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
