package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/duroxide/duroxide-go/migrations"
)

func (a *app) migrate() *cobra.Command {
	return group("migrate", "Bring a schema up to date, or check it", "Bring a schema up to date, or check it.\n\n"+exitCodesHelp,
		a.migrateUp(), a.migrateVerify(), a.migrateStatus(), a.migratePlan(), a.migratePrint())
}

const databaseHelp = "`URL` of the database (default: the environment variable " + databaseEnv + ")"

func (a *app) migrateUp() *cobra.Command {
	var db database
	var to int
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Apply the migrations that the schema does not have yet",
		Long: "Apply the migrations that the schema does not have yet, each in a transaction of its own\n" +
			"except for those that build indexes beside running programs. A failure tells what it left.\n" +
			"The schema is created if it is missing. A second run changes nothing.\n\n" + exitCodesHelp,
		Example: "  duroxide migrate up --schema orders\n  duroxide migrate up --to 5",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := db.check(); err != nil {
				return err
			}
			if cmd.Flags().Changed("to") && !known(to) {
				return usagef("--to: there is no version %d; this program has %s", to, versions())
			}
			return a.up(cmd.Context(), db, to)
		},
	}
	db.flags(cmd, "public", databaseHelp)
	cmd.Flags().IntVar(&to, "to", 0, "stop at version `N` (default: the last one)")
	return cmd
}

func (a *app) up(ctx context.Context, db database, to int) error {
	conn, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	result, err := migrations.Run(ctx, conn, &migrations.Options{Schema: db.schema, UpTo: to})
	for _, file := range result.Applied {
		fmt.Fprintf(a.stdout, "applied %s\n", file.Name)
	}
	a.noteForeign(result)
	switch {
	case err != nil:
		return err
	case len(result.Applied) > 0:
		fmt.Fprintf(a.stdout, "schema %s is at version %d\n", db.schema, result.Version)
	case to > 0 && result.Version > to:
		fmt.Fprintf(a.stdout, "schema %s is at version %d, past %d: nothing to do\n", db.schema, result.Version, to)
	default:
		fmt.Fprintf(a.stdout, "schema %s is at version %d already: nothing to do\n", db.schema, result.Version)
	}
	return nil
}

func (a *app) migrateVerify() *cobra.Command {
	var db database
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the schema is what this program needs, and change nothing",
		Long: "Check that the schema is what this program needs. Nothing is changed or locked,\n" +
			"so that a role which may only read can do it.\n\n" + exitCodesHelp,
		Example: "  duroxide migrate verify --schema orders",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := db.check(); err != nil {
				return err
			}
			return a.verify(cmd.Context(), db)
		},
	}
	db.flags(cmd, "public", databaseHelp)
	return cmd
}

func (a *app) verify(ctx context.Context, db database) error {
	conn, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	result, err := migrations.Run(ctx, conn, &migrations.Options{Schema: db.schema, Policy: migrations.Verify})
	if err != nil {
		return err
	}
	a.noteForeign(result)
	fmt.Fprintf(a.stdout, "schema %s is at version %d, as this program needs it\n", db.schema, result.Version)
	return nil
}

// known reports whether there is a migration of that version.
func known(version int) bool {
	return slices.ContainsFunc(migrations.Files(), func(f migrations.File) bool { return f.Version == version })
}

// versions lists the versions that there are, such as "1 to 11 and 101 to 106".
func versions() string {
	var ranges []string
	files := migrations.Files()
	for i := 0; i < len(files); {
		first := files[i].Version
		for i++; i < len(files) && files[i].Version == files[i-1].Version+1; {
			i++
		}
		ranges = append(ranges, fmt.Sprintf("%d to %d", first, files[i-1].Version))
	}
	return strings.Join(ranges, " and ")
}
