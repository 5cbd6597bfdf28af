package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/duroxide/duroxide-go/migrations"
	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
)

// definition is a function and the migration that stated it.
type definition struct {
	*sqlfile.Function
	version int
	line    int
}

// overload tells functions apart the way the server does.
type overload struct{ name, types string }

// functions are those that a schema has.
type functions map[overload]definition

// step is one migration, as its file was understood.
type step struct {
	file          migrations.File
	text          string
	statements    []sqlfile.Statement
	before, after functions
	// recreated are those that the file drops and states again with the same
	// arguments.
	recreated map[overload]bool
}

// readHistory reads the files in order.
func readHistory(fsys fs.FS, files []migrations.File) ([]*step, error) {
	var steps []*step
	current := functions{}
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file.Name)
		if err != nil {
			return nil, err
		}
		s := &step{file: file, text: string(text), before: current, after: maps.Clone(current), recreated: map[overload]bool{}}
		if s.statements, err = sqlfile.Split(s.text); err == nil {
			err = s.follow()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
		steps = append(steps, s)
		current = s.after
	}
	return steps, nil
}

func (s *step) follow() error {
	for _, statement := range s.statements {
		inner, err := sqlfile.Unwrap(statement)
		if err != nil {
			return err
		}
		for _, in := range append([]sqlfile.Statement{statement}, inner...) {
			if err := s.apply(in); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply follows what one statement does to the functions.
func (s *step) apply(statement sqlfile.Statement) error {
	f, ok, err := sqlfile.ParseFunction(statement)
	if err != nil {
		return err
	}
	if ok {
		key := overload{f.Name, f.Types()}
		if _, there := s.after[key]; !there {
			if _, was := s.before[key]; was {
				s.recreated[key] = true
			}
		}
		s.after[key] = definition{f, s.file.Version, statement.Line}
		return nil
	}
	altered, err := sqlfile.ParseAlter(statement)
	if err != nil {
		return err
	}
	if altered != nil {
		return s.alter(altered, statement.Line)
	}
	dropped, err := sqlfile.ParseDrop(statement)
	for _, d := range dropped {
		maps.DeleteFunc(s.after, func(key overload, _ definition) bool {
			return means(d, key)
		})
	}
	return err
}

// alter follows a change of settings: what makes a function is then its
// statement and this one.
func (s *step) alter(a *sqlfile.Altered, line int) error {
	for key, old := range s.after {
		if !means(a.Dropped, key) {
			continue
		}
		f := *old.Function
		f.Text += ";\n\n" + a.Text
		f.Settings = slices.DeleteFunc(slices.Clone(f.Settings), func(name string) bool {
			return slices.Contains(a.Reset, "all") || slices.Contains(a.Reset, name) || slices.Contains(a.Set, name)
		})
		f.Settings = append(f.Settings, a.Set...)
		slices.Sort(f.Settings)
		s.after[key] = definition{&f, s.file.Version, line}
		return nil
	}
	return fmt.Errorf("line %d: ALTER FUNCTION %s(%s): no file makes it", line, a.Name, a.Types)
}

// means tells whether a statement that names a function means this one.
func means(d sqlfile.Dropped, key overload) bool {
	return key.name == d.Name && (d.Any || key.types == d.Types)
}

// changeKind says what happened to a function.
type changeKind int

const (
	added     changeKind = iota
	modified             // the same to a caller, in this respect
	resigned             // other arguments, defaults or another result
	recreated            // dropped and stated again without a difference
	removed
)

// change is what a migration does to one function.
type change struct {
	kind        changeKind
	old, new    *sqlfile.Function // nil if there is none
	oldVersion  int
	isRecreated bool // it was dropped in between
}

func (c change) name() string {
	if c.new != nil {
		return c.new.Name
	}
	return c.old.Name
}

// breaks tells whether a caller of the old function can notice.
func (c change) breaks() bool {
	switch c.kind {
	case removed, recreated:
		return true
	case modified, resigned:
		return c.isRecreated || c.old.Identity() != c.new.Identity() || c.old.Result != c.new.Result ||
			c.new.Defaults() < c.old.Defaults()
	default:
		return false
	}
}

// changes compares the functions before and after, in the order of their names.
func (s *step) changes() []change {
	var all []change
	var gone, fresh []overload
	for key, old := range s.before {
		now, ok := s.after[key]
		if !ok {
			gone = append(gone, key)
			continue
		}
		if c, ok := compare(old, now, s.recreated[key]); ok {
			all = append(all, c)
		}
	}
	for key := range s.after {
		if _, ok := s.before[key]; !ok {
			fresh = append(fresh, key)
		}
	}
	slices.SortFunc(gone, compareOverloads)
	slices.SortFunc(fresh, compareOverloads)
	for _, key := range fresh {
		c := change{kind: added, new: s.after[key].Function}
		// One that went away under the same name is what this one replaces.
		if i := slices.IndexFunc(gone, func(g overload) bool { return g.name == key.name }); i >= 0 {
			old := s.before[gone[i]]
			c.kind, c.old, c.oldVersion = resigned, old.Function, old.version
			gone = slices.Delete(gone, i, i+1)
		}
		all = append(all, c)
	}
	for _, key := range gone {
		all = append(all, change{kind: removed, old: s.before[key].Function, oldVersion: s.before[key].version})
	}
	slices.SortFunc(all, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.name(), b.name()), cmp.Compare(a.kind, b.kind), cmp.Compare(a.types(), b.types()))
	})
	return all
}

func (c change) types() string {
	if c.new != nil {
		return c.new.Types()
	}
	return c.old.Types()
}

func compare(old, now definition, dropped bool) (change, bool) {
	c := change{old: old.Function, new: now.Function, oldVersion: old.version, isRecreated: dropped}
	switch {
	case old.Signature() != now.Signature():
		c.kind = resigned
	case old.Text != now.Text:
		c.kind = modified
	case dropped:
		c.kind = recreated
	default:
		return c, false
	}
	return c, true
}

func compareOverloads(a, b overload) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.types, b.types))
}
