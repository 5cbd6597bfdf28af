package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/duroxide/duroxide-go/cmd/duroxide/internal/demo"
	"github.com/duroxide/duroxide-go/examples/orders"
)

const (
	workerCommand = "demo-worker"
	maxWorkers    = 16 // each with up to ten connections
)

func (a *app) demo() *cobra.Command {
	var db database
	o := demo.Options{Screen: a.screen(), Command: []string{workerCommand}}
	var input string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a workflow that survives a crash",
		Long: `Run 200 orders of a small shop through a durable workflow in several worker
processes, kill one of them halfway, and show that nothing was lost and nobody
was charged twice.

With --store postgres, which is the default, and without --database-url and
DATABASE_URL it starts a PostgreSQL server for the time of the demo. The schema
is dropped at the start if an earlier demo made it; any other schema that holds
something is refused.

With --store sqlite all processes share one SQLite file, which is removed at the
end unless --file names it. A file that exists already is refused.

` + exitCodesHelp,
		Example: "  duroxide demo\n  duroxide demo --store sqlite\n  duroxide demo --orders my-orders.jsonl --workers 4",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkStore(cmd.Flags(), o.Store); err != nil {
				return err
			}
			if err := db.check(); err != nil {
				return err
			}
			if db.schema == "public" {
				return usagef("--schema: the demo drops its schema, so it does not use public")
			}
			if o.Workers < 1 || o.Workers > maxWorkers {
				return usagef("--workers: must be from 1 to %d, not %d", maxWorkers, o.Workers)
			}
			o.URL, o.Schema = db.url, db.schema
			var err error
			if o.Input, o.Orders, o.Refused, err = readOrders(input); err != nil {
				return err
			}
			if o.Program, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program, to run it as a worker: %w", err)
			}
			return demo.Run(cmd.Context(), o)
		},
	}
	db.flags(cmd, "duroxide_demo", "`URL` of the database (default: "+databaseEnv+", else a server of its own)")
	cmd.Flags().StringVar(&o.Store, "store", demo.Postgres, "where the orders are kept, `STORE` postgres or sqlite")
	cmd.Flags().StringVar(&o.File, "file", "", "`FILE` of the SQLite database, which must not exist yet (default: one that ends with the demo)")
	cmd.Flags().StringVar(&input, "orders", "", "`FILE` of orders, one JSON object a line (default: 200 orders that come with the program)")
	cmd.Flags().IntVar(&o.Workers, "workers", 2, "how many worker processes, `N` from 1 to 16")
	return cmd
}

// checkStore refuses a store that is none, and flags of another one.
func checkStore(flags *pflag.FlagSet, store string) error {
	others := map[string][]string{demo.Postgres: {"file"}, demo.SQLite: {"database-url", "schema"}}
	names, ok := others[store]
	if !ok {
		return usagef("--store: must be postgres or sqlite, not %q", store)
	}
	for _, name := range names {
		if flags.Changed(name) {
			return usagef("--%s: does not go with --store %s", name, store)
		}
	}
	return nil
}

// readOrders reads the file, or the built-in orders if it is empty.
func readOrders(file string) (name string, good []orders.Order, refused []orders.Refusal, err error) {
	var in io.Reader
	if file == "" {
		name, in = "orders.jsonl, built in", orders.Sample()
	} else {
		f, err := os.Open(file)
		if err != nil {
			return "", nil, nil, fmt.Errorf("--orders: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		name, in = file, f
	}
	good, refused, err = orders.Parse(in)
	if err != nil {
		return "", nil, nil, fmt.Errorf("--orders: read %s: %w", name, err)
	}
	if len(good) == 0 {
		for _, r := range refused {
			err = errors.Join(err, fmt.Errorf("line %d: %s", r.Line, r.Reason))
		}
		return "", nil, nil, errors.Join(fmt.Errorf("--orders: no line of %s is an order", name), err)
	}
	return name, good, refused, nil
}

// screen describes the standard output.
func (a *app) screen() demo.Screen {
	s := demo.Screen{Out: a.stdout}
	if f, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		s.Width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
		s.Colour = os.Getenv("NO_COLOR") == ""
	}
	return s
}

// demoWorker is how the demo runs this program as a worker.
func (a *app) demoWorker() *cobra.Command {
	var o demo.WorkerOptions
	cmd := &cobra.Command{
		Use:   workerCommand,
		Short: "Run as a worker of the demo until the standard input ends",
		Long: "Run as a worker of the demo, on the database that " + databaseEnv + " names or on a SQLite file,\n" +
			"until the standard input ends.",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.URL, o.Stdin, o.Log = os.Getenv(databaseEnv), a.stdin, a.stderr
			if err := checkStore(cmd.Flags(), o.Store); err != nil {
				return err
			}
			if o.Store == demo.Postgres && (o.URL == "" || o.Schema == "" || o.Name == "") {
				return usagef("--schema and --name and the environment variable %s are needed", databaseEnv)
			}
			if o.Store == demo.SQLite && (o.File == "" || o.Name == "") {
				return usagef("--file and --name are needed")
			}
			return demo.Work(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Store, "store", demo.Postgres, "`STORE`, postgres or sqlite")
	cmd.Flags().StringVar(&o.File, "file", "", "`FILE` of SQLite")
	cmd.Flags().StringVar(&o.Schema, "schema", "", "`NAME` of the schema")
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` of the worker")
	return cmd
}
