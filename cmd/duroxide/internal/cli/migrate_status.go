package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/duroxide/duroxide-go/migrations"
)

func (a *app) migrateStatus() *cobra.Command {
	var db database
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show which migrations the schema has, and which are pending",
		Long: "Show which migrations the schema has, and which are pending. Nothing is changed or locked.\n" +
			"Pending migrations are no failure; a schema that this program refuses is one (exit code 4).\n\n" + exitCodesHelp,
		Example: "  duroxide migrate status --schema orders",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := db.check(); err != nil {
				return err
			}
			return a.status(cmd.Context(), db)
		},
	}
	db.flags(cmd, "public", databaseHelp)
	return cmd
}

func (a *app) status(ctx context.Context, db database) error {
	conn, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	status, err := migrations.Status(ctx, conn, &migrations.Options{Schema: db.schema})
	if err != nil {
		return err
	}
	problem := status.Problem
	status.Problem = nil // said on standard error
	fmt.Fprint(a.stdout, status)
	return problem
}

// noteForeign tells what a run found to be replaced by others.
func (a *app) noteForeign(result migrations.Result) {
	if len(result.ForeignBodies) > 0 {
		fmt.Fprintf(a.stderr, "note: somebody else replaced functions of this program's migrations, "+
			"so that what needs them is off: %s\n", strings.Join(result.ForeignBodies, ", "))
	}
}
