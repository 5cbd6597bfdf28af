package main

import (
	"slices"

	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
)

// idempotent checks that an operation can run once more, given those before it
// in the file.
func (l *linter) idempotent(o operation, earlier []operation) {
	if o.guarded {
		return
	}
	droppedBefore := slices.ContainsFunc(earlier, func(e operation) bool {
		return e.verb == "drop" && e.what == o.what && e.name == o.name && e.guarded
	})
	advice := ""
	switch {
	case o.verb == "create" && droppedBefore, o.is("add", "constraint") && droppedBefore && o.name != "":
	case o.is("create", "function"), o.is("create", "procedure"), o.is("create", "trigger"), o.is("create", "view"):
		advice = "say CREATE OR REPLACE"
	case o.is("create", "type"), o.is("create", "domain"):
		advice = "put it into a block that looks whether it is there"
	case o.verb == "create", o.is("add", "column"):
		advice = "say IF NOT EXISTS"
	case o.verb == "drop":
		advice = "say IF EXISTS"
	case o.is("add", "constraint"):
		advice = "name it, and say DROP CONSTRAINT IF EXISTS before it"
	case o.verb == "rename", o.verb == "alter" && o.has("rename"):
		advice = "put it into a block that looks which name is there"
	case o.is("alter", "type") && o.has("add", "value") && !o.has("if", "not", "exists"):
		advice = "say IF NOT EXISTS"
	case o.verb == "insert" && !o.has("on", "conflict") && !o.has("where", "not", "exists"):
		advice = "say ON CONFLICT"
	}
	if advice != "" {
		l.report(o.line, "idempotent", o.name, "%v cannot run twice: %s", o, advice)
	}
}

// lock checks an operation on a table that processes may be using, or on one of
// its indexes.
func (l *linter) lock(o operation) {
	reading := func(format string, args ...any) {
		l.report(o.line, "lock", o.name, "%v: "+format, append([]any{o}, args...)...)
	}
	const (
		rewrites = "ACCESS EXCLUSIVE while the table is rewritten, readers and writers wait"
		scans    = "ACCESS EXCLUSIVE while the table is scanned, readers and writers wait"
		brief    = "ACCESS EXCLUSIVE for a moment"
	)
	switch {
	case o.concurrently:
	case o.is("create", "index"):
		reading("SHARE while the index is built, writers wait: say CONCURRENTLY in a file marked transaction: none")
	case o.is("drop", "index"):
		l.note(o, "lock", brief+": or say CONCURRENTLY in a file marked transaction: none")
	case o.verb == "reindex":
		reading("SHARE while the index is built, writers wait: say CONCURRENTLY")
	case o.verb == "cluster", o.verb == "vacuum" && o.has("full"), o.verb == "truncate":
		reading(rewrites)
	case o.verb == "lock":
		reading("a lock for the whole transaction")
	case o.verb == "update", o.verb == "delete":
		reading("locks every row that it touches until the end: leave it to the program, in batches")
	case o.is("create", "trigger"):
		l.note(o, "lock", "SHARE ROW EXCLUSIVE for a moment")
	case o.is("drop", "trigger"), o.is("drop", "table"), o.verb == "rename", o.verb == "drop":
		l.note(o, "lock", brief)
	case o.is("add", "column"):
		l.addColumn(o, reading, rewrites, brief)
	case o.is("add", "constraint"):
		switch {
		case o.has("not", "valid"), o.has("using", "index"):
			l.note(o, "lock", brief)
		case o.has("foreign", "key"):
			reading("SHARE ROW EXCLUSIVE while the table is scanned, writers wait: say NOT VALID, and VALIDATE in the next file")
		case o.has("check"):
			reading(scans + ": say NOT VALID, and VALIDATE in the next file")
		default:
			reading("ACCESS EXCLUSIVE while its index is built, readers and writers wait: " +
				"build it CONCURRENTLY in a file of its own, then say USING INDEX")
		}
	case o.is("alter", "column"):
		switch {
		case o.has("type"):
			reading(rewrites + ", unless the types are stored alike")
		case o.has("set", "not", "null"):
			reading(scans + ": add a CHECK that is NOT VALID and validate it in the file before")
		case o.has("set", "statistics"), o.has("set", "("):
		default:
			l.note(o, "lock", brief)
		}
	case o.verb == "set":
		if o.has("logged") || o.has("unlogged") || o.has("tablespace") || o.has("access", "method") {
			reading(rewrites)
		}
	case slices.Contains([]string{"enable", "disable", "inherit", "no", "owner", "force", "replica", "attach", "detach"}, o.verb):
		l.note(o, "lock", brief)
	}
}

// addColumn tells a default that is stored once from one that differs by row.
func (l *linter) addColumn(o operation, reading func(string, ...any), rewrites, brief string) {
	switch {
	case len(o.rest) > 0 && slices.Contains([]string{"serial", "bigserial", "smallserial"}, o.rest[0].Text),
		o.has("generated"), calls(o.rest):
		reading(rewrites + ": its value differs by row, so let the program set it")
	case o.has("primary", "key"), o.has("unique"):
		reading("ACCESS EXCLUSIVE while its index is built, readers and writers wait")
	case o.has("check"), o.has("references"):
		reading("ACCESS EXCLUSIVE while the table is scanned, readers and writers wait: " +
			"add the constraint NOT VALID instead, and VALIDATE it in the next file")
	default:
		l.note(o, "lock", brief)
	}
}

// stable are functions whose value in a default is computed once.
var stable = []string{"now", "transaction_timestamp", "statement_timestamp", "to_timestamp", "coalesce"}

// calls tells whether a default calls a function that may differ by row.
func calls(tokens []sqlfile.Token) bool {
	i := slices.IndexFunc(tokens, func(t sqlfile.Token) bool { return t.Is("default") })
	if i < 0 {
		return false
	}
	for ; i+1 < len(tokens); i++ {
		t := tokens[i]
		if t.Is("check") || t.Is("references") {
			return false
		}
		cast := i > 0 && tokens[i-1].Is(":") // a type with a length
		if t.Kind == sqlfile.Word && tokens[i+1].Is("(") && !cast && !slices.Contains(stable, t.Text) {
			return true
		}
	}
	return false
}
