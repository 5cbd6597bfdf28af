package migrations

import (
	"slices"
	"strings"
)

// relation is a table, or a column as table.column, that a migration makes.
type relation struct {
	name  string
	since int
	until int // the version that drops it, 0 if none does
}

// sharedTables are those that the shared lineage makes.
var sharedTables = []relation{
	{name: "executions", since: 1},
	{name: "history", since: 1},
	{name: "instance_locks", since: 1},
	{name: "instances", since: 1},
	{name: "orchestrator_queue", since: 1},
	{name: "worker_queue", since: 1},
	{name: "sessions", since: 4},
	{name: "kv_store", since: 8},
	{name: "kv_delta", since: 10},
}

// ownRelations reads from the files of the own lineage which tables and columns
// they make.
func ownRelations(all []migration) (tables, columns []relation) {
	for _, m := range all {
		if m.Shared() || !m.transactional {
			continue
		}
		for i := range m.statements {
			for _, c := range m.statements[i].changes() {
				list := &tables
				if strings.Contains(c.relation, ".") {
					list = &columns
				}
				at := slices.IndexFunc(*list, func(r relation) bool { return r.name == c.relation && r.until == 0 })
				switch {
				case c.drop && at >= 0:
					(*list)[at].until = m.Version
				case !c.drop && at < 0:
					*list = append(*list, relation{name: c.relation, since: m.Version})
				}
			}
		}
	}
	return tables, columns
}

// change is a table or a column that a statement makes or drops.
type change struct {
	relation string
	drop     bool
}

func (s *statement) changes() []change {
	p := &parser{s.tokens}
	switch {
	case p.skip("create", "table"), p.skip("create", "unlogged", "table"):
		return []change{{relation: p.object()}}
	case p.skip("drop", "table"):
		return []change{{p.object(), true}}
	case !p.skip("alter", "table"):
		return nil
	}
	table := p.object()
	var changes []change
	for _, action := range p.actions() {
		switch {
		case action.skip("add", "column"):
			changes = append(changes, change{relation: table + "." + action.object()})
		case action.skip("drop", "column"):
			changes = append(changes, change{table + "." + action.object(), true})
		}
	}
	return changes
}

// relationNames are the relations of which a run must know whether they exist.
func relationNames(all []migration) []string {
	names := []string{sharedLedger, ownLedger}
	tables, columns := ownRelations(all)
	for _, r := range slices.Concat(sharedTables, tables, columns) {
		name, _, _ := strings.Cut(r.name, ".")
		names = append(names, name)
	}
	return names
}
