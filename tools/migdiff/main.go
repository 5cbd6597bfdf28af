package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/duroxide/duroxide-go/migrations"
)

const usage = `usage: go run ./tools/migdiff [--check] [--lint] [--offline] [--all | NUMBER…]
       go run ./tools/migdiff --sums

Writes migrations/NNNN_diff.md for each NUMBER.

  --all      all migrations; also adds the checksums of new files to
             migrations/sums.txt
  --check    write nothing; exit 1, with the difference, if a document is stale
  --lint     write nothing; exit 1, with a report, if a migration breaks a rule
  --offline  work without a database
  --sums     write migrations/sums.txt anew, which accepts changed files
  --help     show this

--check and --lint look at all migrations unless some are named.

The database is the one that DATABASE_URL names, else a server that is started
for the time being; see package pgtest/server for PGTEST_SOURCE and
PGTEST_VERSION. What is made there is removed again.

Exits with 0 when all was done and is in order, 1 when something is stale,
breaks a rule or failed, 2 after a wrong usage, 5 if the database cannot be
reached.

` + rulesHelp

const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 5
)

// errFound says that the report has been written: something is not in order.
var errFound = errors.New("something is not in order")

// usageError is a wrong command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t := &tool{stdout: os.Stdout, stderr: os.Stderr}
	code := t.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// main does what the arguments say and returns the exit code.
func (t *tool) main(ctx context.Context, args []string) int {
	err := t.parse(args)
	if err == nil {
		err = t.run(ctx)
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(t.stdout, usage)
		return exitDone
	case errors.Is(err, errFound):
		return exitFailed
	case isA[*usageError](err):
		fmt.Fprintf(t.stderr, "migdiff: %v\nRun 'go run ./tools/migdiff --help' for how to use it.\n", err)
		return exitUsage
	}
	fmt.Fprintf(t.stderr, "migdiff: %v\n", err)
	if isA[*unreachableError](err) {
		return exitUnreachable
	}
	return exitFailed
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// tool is one run of the command.
type tool struct {
	stdout, stderr                  io.Writer
	all, check, lint, offline, sums bool
	numbers                         []int
	dir                             string // where the migrations are
	steps                           []*step
}

func (t *tool) parse(args []string) error {
	flags := flag.NewFlagSet("migdiff", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for name, value := range map[string]*bool{
		"all": &t.all, "check": &t.check, "lint": &t.lint, "offline": &t.offline, "sums": &t.sums,
	} {
		flags.BoolVar(value, name, false, "")
	}
	// Flags may also follow numbers.
	for len(args) > 0 {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return err
		} else if err != nil {
			return &usageError{err.Error()}
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 {
			return &usageError{fmt.Sprintf("%q is not the number of a migration", args[0])}
		}
		t.numbers = append(t.numbers, n)
		args = args[1:]
	}
	switch {
	case t.sums && (t.all || t.check || t.lint || t.offline || len(t.numbers) > 0):
		return &usageError{"--sums goes with nothing else"}
	case t.all && len(t.numbers) > 0:
		return &usageError{"--all and numbers do not go together"}
	case !t.sums && !t.all && !t.check && !t.lint && len(t.numbers) == 0:
		return &usageError{"say which migration, or --all, --check, --lint or --sums"}
	}
	return nil
}

func (t *tool) run(ctx context.Context) error {
	var err error
	if t.dir == "" {
		if t.dir, err = migrationsDir(); err != nil {
			return err
		}
	}
	if t.steps, err = readHistory(migrations.FS(), migrations.Files()); err != nil {
		return err
	}
	if t.sums {
		return writeSums(t.dir, t.steps)
	}
	chosen, err := t.choose()
	if err != nil {
		return err
	}
	var found error
	if t.lint {
		if found = t.runLint(chosen); !t.check || found != nil && !errors.Is(found, errFound) {
			return found
		}
	}
	err = t.documents(ctx, chosen, func(s *step, text string) error {
		if t.check {
			stale, err := t.compareDocument(s, text)
			if stale {
				found = errFound
			}
			return err
		}
		return t.writeDocument(s, text)
	})
	if err != nil {
		return err
	}
	if t.all && !t.check {
		return addSums(t.dir, t.steps)
	}
	if t.check && len(t.numbers) == 0 {
		found = errors.Join(found, t.strayDocuments())
	}
	return found
}

// choose returns the steps that are asked for.
func (t *tool) choose() ([]*step, error) {
	if len(t.numbers) == 0 {
		return t.steps, nil
	}
	var chosen []*step
	for _, n := range t.numbers {
		i := slices.IndexFunc(t.steps, func(s *step) bool { return s.file.Version == n })
		if i < 0 {
			return nil, &usageError{fmt.Sprintf("there is no migration %04d", n)}
		}
		if !slices.Contains(chosen, t.steps[i]) {
			chosen = append(chosen, t.steps[i])
		}
	}
	slices.SortFunc(chosen, func(a, b *step) int { return a.file.Version - b.file.Version })
	return chosen, nil
}

// documents renders the documents of the steps.
func (t *tool) documents(ctx context.Context, chosen []*step, use func(*step, string) error) error {
	if t.offline {
		for _, s := range chosen {
			if err := use(s, render(s, nil, nil)); err != nil {
				return err
			}
		}
		return nil
	}
	logf := func(format string, args ...any) { fmt.Fprintf(t.stderr, "migdiff: "+format+"\n", args...) }
	return withDatabase(ctx, logf, func(d *database) error {
		return t.online(ctx, d, chosen, use)
	})
}

func (t *tool) online(ctx context.Context, d *database, chosen []*step, use func(*step, string) error) error {
	for _, s := range chosen {
		previous := 0
		if i := slices.Index(t.steps, s); i > 0 {
			previous = t.steps[i-1].file.Version
		}
		before, err := d.version(ctx, previous)
		if err != nil {
			return err
		}
		after, err := d.version(ctx, s.file.Version)
		if err != nil {
			return err
		}
		if err := errors.Join(
			verify(s.file.Name+" (before)", s.before, before.functions),
			verify(s.file.Name, s.after, after.functions),
		); err != nil {
			return err
		}
		if err := use(s, render(s, before, after)); err != nil {
			return err
		}
	}
	return nil
}

// migrationsDir looks for the folder of the module, from here upwards.
func migrationsDir() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		dir := filepath.Join(at, "migrations")
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(at)
		if parent == at {
			return "", errors.New("the folder migrations was not found from here upwards: run it inside the repository")
		}
		at = parent
	}
}
