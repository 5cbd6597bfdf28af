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
			name, column, drop := m.statements[i].table()
			list, key := &tables, name
			if column != "" {
				list, key = &columns, name+"."+column
			}
			at := slices.IndexFunc(*list, func(r relation) bool { return r.name == key && r.until == 0 })
			switch {
			case name == "":
			case drop && at >= 0:
				(*list)[at].until = m.Version
			case !drop && at < 0:
				*list = append(*list, relation{name: key, since: m.Version})
			}
		}
	}
	return tables, columns
}

// table returns the table, or the first column, that a statement makes or drops.
func (s *statement) table() (name, column string, drop bool) {
	rest := s.tokens
	skip := func(words ...string) bool {
		for i, w := range words {
			if i >= len(rest) || rest[i] != (token{word, w}) {
				return false
			}
		}
		rest = rest[len(words):]
		return true
	}
	value := func() string {
		if len(rest) == 0 || rest[0].kind != word && rest[0].kind != quoted {
			return ""
		}
		v := rest[0].value
		rest = rest[1:]
		return v
	}
	switch {
	case skip("create", "table"), skip("create", "unlogged", "table"):
		skip("if", "not", "exists")
		return value(), "", false
	case skip("drop", "table"):
		skip("if", "exists")
		return value(), "", true
	case skip("alter", "table"):
		skip("if", "exists")
		skip("only")
		table := value()
		switch {
		case skip("add", "column"):
			skip("if", "not", "exists")
			return table, value(), false
		case skip("drop", "column"):
			skip("if", "exists")
			return table, value(), true
		}
	}
	return "", "", false
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
