package main

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// delta is the difference of two catalogues, functions aside.
type delta struct {
	tables, newIndexes, otherIndexes, triggers, comments, privileges []block
	warnings                                                         []string
}

// skipped are tables of the runner, whose names begin with an underscore.
func skipped(table string) bool { return strings.HasPrefix(table, "_") }

func catalogueDelta(before, after *catalogue) *delta {
	d := &delta{}
	d.compareTables(before.of(table), after.of(table))

	for name, p := range pairs(before.of(index), after.of(index)) {
		switch old, now := p.old, p.now; {
		case old == nil:
			d.newIndexes = append(d.newIndexes, block{fmt.Sprintf("`%s` — new", name), "sql", now[0].Text})
		case now == nil:
			d.otherIndexes = append(d.otherIndexes, block{fmt.Sprintf("`%s` — removed", name), "diff", "- " + old[0].Text})
		case old[0].Text != now[0].Text:
			d.otherIndexes = append(d.otherIndexes, block{fmt.Sprintf("`%s` — changed", name), "diff",
				"- " + old[0].Text + "\n+ " + now[0].Text})
		}
	}
	d.triggers = lines(before.of(trigger), after.of(trigger), true)
	d.comments = lines(before.of(comment), after.of(comment), true)
	d.privileges = lines(before.of(privilege), after.of(privilege), false)
	return d
}

// pair is an object before and after; one of them is nil if it is not there.
type pair struct{ old, now []entry }

// pairs yields the objects of either side in the order of their names.
func pairs(before, after map[string][]entry) iter.Seq2[string, pair] {
	return func(yield func(string, pair) bool) {
		all := maps.Clone(before)
		maps.Copy(all, after)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name, pair{before[name], after[name]}) {
				return
			}
		}
	}
}

// lines shows what differs line by line, in one block or in one for each object.
func lines(before, after map[string][]entry, each bool) []block {
	var blocks []block
	var all []string
	for name, p := range pairs(before, after) {
		text, changed := mergeParts(p, false)
		if !changed {
			continue
		}
		all = append(all, text...)
		if each {
			blocks = append(blocks, block{fmt.Sprintf("`%s` — %s", name, verb(p)), "diff", strings.Join(text, "\n")})
		}
	}
	if !each && len(all) > 0 {
		return []block{{"", "diff", strings.Join(all, "\n")}}
	}
	return blocks
}

func verb(p pair) string {
	switch {
	case p.old == nil:
		return "new"
	case p.now == nil:
		return "removed"
	default:
		return "changed"
	}
}

// mergeParts marks the parts of an object: removed ones with -, new ones with +,
// and, if they are wanted, the others with a blank. A part that changed is both.
func mergeParts(p pair, unchanged bool) (marked []string, changed bool) {
	mark := func(sign, text string) {
		for line := range strings.Lines(text) {
			marked = append(marked, sign+" "+strings.TrimSuffix(line, "\n"))
		}
	}
	find := func(list []entry, part string) int {
		return slices.IndexFunc(list, func(e entry) bool { return e.Part == part })
	}
	// Groups keep columns before constraints, as in the definition.
	for _, group := range []string{"column ", "constraint ", ""} {
		in := func(e entry) bool { return groupOf(e.Part) == group }
		for _, e := range p.old {
			if !in(e) {
				continue
			}
			switch i := find(p.now, e.Part); {
			case i < 0:
				mark("-", e.Text)
				changed = true
			case p.now[i].Text != e.Text:
				mark("-", e.Text)
				mark("+", p.now[i].Text)
				changed = true
			case unchanged:
				mark(" ", e.Text)
			}
		}
		for _, e := range p.now {
			if in(e) && find(p.old, e.Part) < 0 {
				mark("+", e.Text)
				changed = true
			}
		}
	}
	return marked, changed
}

func groupOf(part string) string {
	for _, group := range []string{"column ", "constraint "} {
		if strings.HasPrefix(part, group) {
			return group
		}
	}
	return ""
}

func (d *delta) compareTables(before, after map[string][]entry) {
	for name, p := range pairs(before, after) {
		marked, changed := mergeParts(p, p.now != nil)
		switch text := strings.Join(marked, "\n"); {
		case skipped(name) || !changed:
		case p.old == nil:
			d.tables = append(d.tables, block{fmt.Sprintf("`%s` — new table", name), "sql", createTable(name, p.now)})
		case p.now == nil:
			d.tables = append(d.tables, block{fmt.Sprintf("`%s` — removed", name), "diff", text})
			d.warnings = append(d.warnings, fmt.Sprintf("table `%s` is removed", name))
		default:
			d.tables = append(d.tables, block{fmt.Sprintf("`%s` — modified", name), "diff", text})
			d.warnColumns(name, p)
		}
	}
}

// warnColumns reports what a statement with a list of columns can fail on.
func (d *delta) warnColumns(table string, p pair) {
	old, now := p.old, p.now
	for _, e := range old {
		if groupOf(e.Part) != "column " {
			continue
		}
		column := strings.TrimPrefix(e.Part, "column ")
		i := slices.IndexFunc(now, func(n entry) bool { return n.Part == e.Part })
		switch {
		case i < 0:
			d.warnings = append(d.warnings, fmt.Sprintf("column `%s` of `%s` is removed", column, table))
		case now[i].Text != e.Text:
			d.warnings = append(d.warnings, fmt.Sprintf("column `%s` of `%s` changes", column, table))
		}
	}
	for _, e := range now {
		required := strings.HasSuffix(e.Text, " NOT NULL")
		isNew := !slices.ContainsFunc(old, func(o entry) bool { return o.Part == e.Part })
		if groupOf(e.Part) == "column " && isNew && required {
			d.warnings = append(d.warnings, fmt.Sprintf("column `%s` of `%s` is new and has no default: "+
				"an INSERT that does not name it fails", strings.TrimPrefix(e.Part, "column "), table))
		}
	}
}

// createTable writes a new table as DDL.
func createTable(name string, parts []entry) string {
	var inside, options []string
	unlogged := ""
	for _, e := range parts {
		switch {
		case groupOf(e.Part) != "":
			inside = append(inside, "    "+e.Text)
		case e.Part == "persistence":
			unlogged = "UNLOGGED "
		default:
			options = append(options, strings.TrimSuffix(strings.TrimPrefix(e.Text, "WITH ("), ")"))
		}
	}
	text := "CREATE " + unlogged + "TABLE " + name + " (\n" + strings.Join(inside, ",\n") + "\n)"
	if len(options) > 0 {
		text += " WITH (" + strings.Join(options, ", ") + ")"
	}
	return text + ";"
}
