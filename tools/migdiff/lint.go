package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/migrations"
)

const rulesHelp = `Rules of --lint:

  checksum     a file differs from its line in sums.txt, or has none
  idempotent   a statement fails when the file runs once more
  lock         readers or writers of a table in use wait while it is scanned,
               rewritten or indexed; a lock that is held for a moment is a note
  overload     a function has two forms, so that calls can be ambiguous
  prefix       a name of our lineage does not begin with dxgo_
  search_path  a function does not pin its search_path
  signature    what clients of the shared lineage rely on changes: a function's
               signature, a column, a table
`

// ownPrefix begins the names of our lineage.
const ownPrefix = "dxgo_"

// finding is a place that breaks a rule.
type finding struct {
	file         string
	version      int
	line         int // 0: the file as a whole
	rule, object string
	text         string
	note         bool // worth knowing, but allowed
}

func (f finding) String() string {
	place := "migrations/" + f.file
	if f.line > 0 {
		place += fmt.Sprintf(":%d", f.line)
	}
	note := ""
	if f.note {
		note = "note: "
	}
	return fmt.Sprintf("%s: %s%s: %s", place, note, f.rule, f.text)
}

// runLint reports what it finds in the chosen steps.
func (t *tool) runLint(chosen []*step) error {
	sums, err := readSums(t.dir)
	if err != nil {
		return err
	}
	all, err := lintAll(t.steps, sums)
	if err != nil {
		return err
	}
	whole := len(chosen) == len(t.steps)
	all = slices.DeleteFunc(all, func(f finding) bool {
		return !whole && !slices.ContainsFunc(chosen, func(s *step) bool { return s.file.Version == f.version })
	})
	all, excused := excuse(all, exceptions, whole)
	findings := 0
	for _, f := range all {
		fmt.Fprintln(t.stdout, f)
		if !f.note {
			findings++
		}
	}
	fmt.Fprintf(t.stdout, "lint: %d migrations, %d findings, %d notes, %d exceptions\n",
		len(chosen), findings, len(all)-findings, excused)
	if findings > 0 {
		return errFound
	}
	return nil
}

// lintAll returns what breaks a rule, in the order of files and lines.
func lintAll(steps []*step, sums map[string]string) ([]finding, error) {
	var all []finding
	known := names{tables: map[string]int{}, indexes: map[string]string{}, triggers: map[string]bool{}}
	shared := map[string]bool{}
	for _, s := range steps {
		ops, err := operations(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.file.Name, err)
		}
		l := &linter{step: s, ops: ops, known: known, sharedFunctions: shared}
		l.run(sums)
		slices.SortStableFunc(l.found, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
		all = append(all, l.found...)
		known.learn(s, ops)
		if isShared(s) {
			for key := range s.after {
				shared[key.name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if !slices.ContainsFunc(steps, func(s *step) bool { return s.file.Name == name }) {
			all = append(all, finding{file: name, rule: "checksum", object: name, text: "the file is in sums.txt, but does not exist"})
		}
	}
	return all, nil
}

func isShared(s *step) bool { return s.file.Version <= migrations.SharedVersion }

// names are the objects that the files before one have made.
type names struct {
	tables   map[string]int    // the version that made it
	indexes  map[string]string // the table of each
	triggers map[string]bool
}

func (n names) learn(s *step, ops []operation) {
	for _, o := range ops {
		switch {
		case o.is("create", "table"):
			if _, there := n.tables[o.name]; !there {
				n.tables[o.name] = s.file.Version
			}
		case o.is("drop", "table"):
			delete(n.tables, o.name)
		case o.is("create", "index"):
			n.indexes[o.name] = o.table
		case o.is("create", "trigger"):
			n.triggers[o.name] = true
		}
	}
}

// inUse tells whether a table is there before the file and not the runner's own.
func (n names) inUse(table string) bool {
	_, there := n.tables[table]
	return there && !skipped(table)
}

// isShared tells whether clients of the shared lineage know the table.
func (n names) isShared(table string) bool {
	version, there := n.tables[table]
	return there && version <= migrations.SharedVersion
}

// linter looks at one file.
type linter struct {
	step            *step
	ops             []operation
	known           names
	sharedFunctions map[string]bool
	found           []finding
}

func (l *linter) report(line int, rule, object, format string, args ...any) {
	l.found = append(l.found, finding{
		file: l.step.file.Name, version: l.step.file.Version, line: line, rule: rule, object: object,
		text: fmt.Sprintf(format, args...),
	})
}

func (l *linter) note(o operation, rule, format string, args ...any) {
	l.report(o.line, rule, o.name, "%v: "+format, append([]any{o}, args...)...)
	l.found[len(l.found)-1].note = true
}

func (l *linter) run(sums map[string]string) {
	name := l.step.file.Name
	if line, ok := sums[name]; !ok {
		l.report(0, "checksum", name, "sums.txt has no line for it: run go run ./tools/migdiff --all")
	} else if line != sum(l.step) {
		l.report(0, "checksum", name, "it is not the file that sums.txt knows; a schema that has it keeps the old one: "+
			"write a new migration, or accept it with --sums if no schema has it")
	}
	l.functions()
	for i, o := range l.ops {
		l.idempotent(o, l.ops[:i])
		if o.table != "" && l.known.inUse(o.table) || o.what == "index" && l.known.indexes[o.name] != "" {
			l.lock(o)
		}
		if !isShared(l.step) {
			l.sharedTable(o)
			l.prefix(o)
		}
	}
}

// functions checks what the file makes of them.
func (l *linter) functions() {
	overloads := map[string][]string{}
	for key, f := range l.step.after {
		overloads[key.name] = append(overloads[key.name], key.types)
		if f.version == l.step.file.Version && !slices.Contains(f.Settings, "search_path") {
			l.report(f.line, "search_path", key.name, "function %s needs SET search_path FROM CURRENT", key.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(overloads)) {
		if all := overloads[name]; len(all) > 1 {
			slices.Sort(all)
			l.report(0, "overload", name, "function %s takes (%s): drop the old form", name, strings.Join(all, ") and ("))
		}
	}
	if isShared(l.step) {
		return
	}
	for _, c := range l.step.changes() {
		if l.sharedFunctions[c.name()] && c.old != nil && (c.kind != modified || c.isRecreated) {
			line := 0
			if c.new != nil {
				line = l.step.after[overload{c.new.Name, c.new.Types()}].line
			}
			what := c.warning()
			if what == "" {
				what = "has other defaults"
			}
			l.report(line, "signature", c.name(), "function %s of the shared lineage %s", c.name(), what)
		}
		if c.kind == added && !strings.HasPrefix(c.name(), ownPrefix) {
			l.report(l.step.after[overload{c.new.Name, c.new.Types()}].line, "prefix", c.name(),
				"function %s: begin its name with %s", c.name(), ownPrefix)
		}
	}
}

// sharedTable checks what the file does to tables of the shared lineage.
func (l *linter) sharedTable(o operation) {
	if !l.known.isShared(o.table) {
		return
	}
	switch {
	case o.is("drop", "table"), o.verb == "rename", o.is("drop", "column"):
		l.report(o.line, "signature", o.name, "%v: clients of the shared lineage use it", o)
	case o.is("alter", "column") && (o.has("type") || o.has("set", "not", "null") || o.has("drop", "default")):
		l.report(o.line, "signature", o.name, "%v: clients of the shared lineage rely on its type, default and NULLs", o)
	case o.is("add", "column") && o.has("not", "null") && !o.has("default"):
		l.report(o.line, "signature", o.name, "%v: NOT NULL without a default breaks the INSERT of every older client", o)
	}
}

// prefix checks names that are new. Functions are checked with their changes.
func (l *linter) prefix(o operation) {
	named := slices.Contains([]string{"table", "index", "sequence", "trigger", "view", "type", "domain"}, o.what)
	replaced := o.what == "trigger" && l.known.triggers[o.name]
	isNew := o.verb == "create" && named && !replaced || o.verb == "add" && l.known.isShared(o.table)
	if isNew && !strings.HasPrefix(o.name, ownPrefix) && !skipped(o.name) {
		l.report(o.line, "prefix", o.name, "%v: begin its name with %s", o, ownPrefix)
	}
}
