package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/duroxide/duroxide-go/cmd/duroxide/internal/export"
	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// exportStatuses are the values of --status.
var exportStatuses = map[string]core.ExecutionStatus{
	"running": core.StatusRunning, "completed": core.StatusCompleted, "failed": core.StatusFailed, "all": "",
}

func (a *app) export() *cobra.Command {
	var db database
	var o export.Options
	var status, program string
	var sample int
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write histories of live instances to files, or check a release with them",
		Long: `Write the histories of a sample of live instances to files, one instance a
file, for durabletest.Replay in a test of the next release. Nothing is changed
or locked.

With --check the files go to a temporary folder, unless --out names one, and
PROGRAM with the arguments after -- replays them: a program that links the code
of a release and calls durabletest.CheckMain. If that code does not go on with
what runs, its differences are shown and the exit code is 1.

The files hold what the instances carry. With --redact placeholders of the same
shape take the place of inputs, results, messages and errors; names, ids and the
keys of objects stay. Code that decides by a value may then decide otherwise.

` + exitCodesHelp,
		Example: "  duroxide export --schema orders --sample 20 --redact --out testdata/histories\n" +
			"  duroxide export --schema orders --instance order-17\n" +
			"  duroxide export --schema orders --check ./bin/orders -- check-histories",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := db.check(); err != nil {
				return err
			}
			var ok bool
			if o.Status, ok = exportStatuses[status]; !ok {
				return usagef("--status: must be running, completed, failed or all, not %q", status)
			}
			if sample < 1 || sample > 1_000_000 {
				return usagef("--sample: must be from 1 to 1000000, not %d", sample)
			}
			if program == "" && len(args) > 0 {
				return usagef("%q: arguments are for the program of --check, after --", args[0])
			}
			if slices.Contains(o.Instances, "") {
				return usagef("--instance: the id is empty")
			}
			if cmd.Flags().Changed("instance") && (cmd.Flags().Changed("sample") || cmd.Flags().Changed("status")) {
				return usagef("--instance: does not go with --sample and --status, which choose for themselves")
			}
			o.Sample = uint32(sample)
			if program == "" {
				if o.Dir == "" {
					o.Dir = "histories"
				}
				_, err := a.exportTo(cmd.Context(), db, o)
				return err
			}
			return a.exportAndCheck(cmd.Context(), db, o, append([]string{program}, args...))
		},
	}
	db.flags(cmd, "public", databaseHelp)
	f := cmd.Flags()
	f.IntVar(&sample, "sample", 10, "how many instances of each version of each orchestration, `N`")
	f.StringVar(&status, "status", "running", "which instances, `S` running, completed, failed or all")
	f.StringArrayVar(&o.Instances, "instance", nil, "`ID` of an instance to export, instead of a sample; may be repeated")
	f.BoolVar(&o.Export.Redact, "redact", false, "write placeholders in the place of what the instances carry")
	f.BoolVar(&o.Export.AllExecutions, "all-executions", false, "write the executions before a continue-as-new too")
	f.StringVar(&o.Dir, "out", "", "`DIR` for the files; those of other instances in it stay (default: histories; with --check a temporary one)")
	f.StringVar(&program, "check", "", "`PROGRAM` that replays the histories; arguments for it follow --")
	return cmd
}

func (a *app) exportAndCheck(ctx context.Context, db database, o export.Options, program []string) error {
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "duroxide-histories-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // nobody can do anything about it
		o.Dir = dir
	}
	n, err := a.exportTo(ctx, db, o)
	if err != nil || n == 0 {
		return err
	}
	return export.Check(ctx, o.Dir, program, a.stdout, a.stderr)
}

// exportTo exports, says so, and returns how many files there are.
func (a *app) exportTo(ctx context.Context, db database, o export.Options) (int, error) {
	pool, err := db.readOnlyPool(ctx)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	p, err := pgprovider.New(ctx, pool, &pgprovider.Options{
		Schema: db.schema, Migrations: migrations.Verify, LongPoll: pgprovider.LongPoll{Disabled: true},
	})
	if err != nil {
		return 0, err
	}
	defer p.Close() //nolint:errcheck // it was only read from
	result, err := export.Run(ctx, p, o)
	if err != nil {
		return 0, err
	}
	for _, err := range result.Skipped {
		fmt.Fprintf(a.stderr, "note: skipped: %v\n", err)
	}
	for _, g := range result.Groups {
		fmt.Fprintf(a.stdout, "%6d  %s %s\n", g.Instances, g.Orchestration, g.Version)
	}
	n := result.Files()
	if n == 0 {
		fmt.Fprintf(a.stdout, "schema %s has no such instances: nothing is exported\n", db.schema)
	} else {
		fmt.Fprintf(a.stdout, "%6d  exported to %s\n", n, o.Dir)
	}
	return n, nil
}
