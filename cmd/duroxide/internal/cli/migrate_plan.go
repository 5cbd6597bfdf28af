package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/duroxide/duroxide-go/migrations"
)

func (a *app) migratePlan() *cobra.Command {
	var db database
	var to int
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what up would do: files, statements and locks",
		Long: "Show what up would do to the schema: which files it would apply, their statements, and the\n" +
			"locks that these take on tables that are there already. Nothing is changed or locked.\n\n" + exitCodesHelp,
		Example: "  duroxide migrate plan --schema orders",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := db.check(); err != nil {
				return err
			}
			if err := checkVersion(cmd, "to", to); err != nil {
				return err
			}
			return a.plan(cmd.Context(), db, to)
		},
	}
	db.flags(cmd, "public", databaseHelp)
	cmd.Flags().IntVar(&to, "to", 0, "stop at version `N` (default: the last one)")
	return cmd
}

func (a *app) plan(ctx context.Context, db database, to int) error {
	conn, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	plan, err := migrations.Plan(ctx, conn, &migrations.Options{Schema: db.schema, UpTo: to})
	if err != nil {
		return err
	}
	fmt.Fprint(a.stdout, plan)
	return nil
}

func (a *app) migratePrint() *cobra.Command {
	var schema string
	var from, to int
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print what up would do as a script for psql",
		Long: "Print what up would do to a schema at version --from as a script for psql, for a database that\n" +
			"this program may not change. No database is connected to; the script itself refuses a schema\n" +
			"that is not at that version.\n\n" + exitCodesHelp,
		Example: "  duroxide migrate print --schema orders > up.sql\n" +
			"  duroxide migrate print --schema orders --from 11 | psql -X -f - postgres://...",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := migrations.ValidateSchemaName(schema); err != nil {
				return usagef("--schema: %w", err)
			}
			if from != 0 {
				if err := checkVersion(cmd, "from", from); err != nil {
					return err
				}
			}
			if err := checkVersion(cmd, "to", to); err != nil {
				return err
			}
			files := migrations.Files()
			last := cmp.Or(to, files[len(files)-1].Version)
			if from >= last {
				return usagef("--from: version %d is not before version %d, so there is nothing to print", from, last)
			}
			return migrations.Print(a.stdout, from, &migrations.Options{Schema: schema, UpTo: to})
		},
	}
	cmd.Flags().StringVar(&schema, "schema", "public", "`NAME` of the PostgreSQL schema")
	cmd.Flags().IntVar(&from, "from", 0, "version `N` that the schema has (default: 0, it is not there yet)")
	cmd.Flags().IntVar(&to, "to", 0, "stop at version `N` (default: the last one)")
	return cmd
}

// checkVersion refuses a flag, if it is given, that is no version of this
// program.
func checkVersion(cmd *cobra.Command, flag string, version int) error {
	if !cmd.Flags().Changed(flag) || known(version) {
		return nil
	}
	return usagef("--%s: there is no version %d; this program has %s", flag, version, versions())
}
