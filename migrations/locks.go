package migrations

import (
	"slices"
	"strings"
)

// The modes of the locks that a statement takes on tables, as PostgreSQL's
// manual calls them.
const (
	rowExclusive         = "ROW EXCLUSIVE"
	shareUpdateExclusive = "SHARE UPDATE EXCLUSIVE"
	share                = "SHARE"
	shareRowExclusive    = "SHARE ROW EXCLUSIVE"
	accessExclusive      = "ACCESS EXCLUSIVE"
	// unclear is the mode of statements whose text does not tell.
	unclear = "unknown"
)

// lockModes says what each mode means for others, from the weakest.
var lockModes = []struct{ mode, effect string }{
	{rowExclusive, "reads and writes go on"},
	{shareUpdateExclusive, "reads and writes go on, vacuum waits"},
	{share, "reads go on, writes wait"},
	{shareRowExclusive, "reads go on, writes wait"},
	{"EXCLUSIVE", "reads go on, writes wait"},
	{accessExclusive, "reads and writes wait"},
	{unclear, "see the statement"},
}

// lock is one that a statement takes on a table.
type lock struct{ mode, table string }

// strength orders modes.
func strength(mode string) int {
	return slices.IndexFunc(lockModes, func(m struct{ mode, effect string }) bool { return m.mode == mode })
}

// lock returns the strongest lock that a statement takes on a table, with an
// empty mode if it takes none. Dropping an index locks its table, which tables
// tells.
func (s *statement) lock(tables map[string]string) lock {
	p := &parser{s.tokens}
	switch {
	case p.skip("create"):
		return p.create()
	case p.skip("alter", "table"):
		return p.alterTable()
	case p.skip("alter", "index"):
		return lock{shareUpdateExclusive, tables[p.object()]}
	case p.skip("drop", "table"):
		return lock{accessExclusive, p.object()}
	case p.skip("drop", "index", "concurrently"):
		return lock{shareUpdateExclusive, tables[p.object()]}
	case p.skip("drop", "index"):
		return lock{accessExclusive, tables[p.object()]}
	case p.skip("drop", "trigger"):
		p.skipTo("on")
		return lock{accessExclusive, p.name()}
	case p.skip("comment", "on", "table"), p.skip("comment", "on", "column"), p.skip("analyze"), p.skip("vacuum"):
		return lock{shareUpdateExclusive, p.name()}
	case p.skip("insert", "into"), p.skip("delete", "from"), p.skip("update"):
		return lock{rowExclusive, p.object()}
	case p.skip("truncate", "table"), p.skip("truncate"):
		return lock{accessExclusive, p.object()}
	case p.skip("lock"):
		return p.lockTable()
	case p.skip("do"), p.skip("select"), p.skip("with"), p.skip("call"):
		return lock{mode: unclear}
	}
	return lock{}
}

func (p *parser) create() lock {
	p.skip("or", "replace")
	switch {
	case p.skip("trigger"), p.skip("constraint", "trigger"):
		p.skipTo("on")
		return lock{shareRowExclusive, p.name()}
	case p.skip("unique", "index"), p.skip("index"):
		mode := share
		if p.skip("concurrently") {
			mode = shareUpdateExclusive
		}
		p.skipTo("on")
		return lock{mode, p.object()}
	case p.skip("statistics"):
		p.skipTo("from")
		return lock{shareUpdateExclusive, p.object()}
	}
	return lock{}
}

// alterTable knows the actions whose lock is lesser than ACCESS EXCLUSIVE.
func (p *parser) alterTable() lock {
	l := lock{rowExclusive, p.object()}
	for _, action := range p.actions() {
		mode := accessExclusive
		switch {
		case action.skip("validate", "constraint"), action.storage():
			mode = shareUpdateExclusive
		case action.skip("enable", "trigger"), action.skip("disable", "trigger"):
			mode = shareRowExclusive
		}
		if strength(mode) > strength(l.mode) {
			l.mode = mode
		}
	}
	return l
}

// storage tells whether an action sets storage parameters.
func (p *parser) storage() bool {
	return (p.skip("set") || p.skip("reset")) && len(p.rest) > 0 && p.rest[0].value == "("
}

func (p *parser) lockTable() lock {
	p.skip("table")
	l := lock{accessExclusive, p.object()}
	if p.skip("in") {
		var mode []string
		for len(p.rest) > 0 && !p.rest[0].is("mode") {
			mode = append(mode, p.name())
		}
		l.mode = strings.ToUpper(strings.Join(mode, " "))
	}
	return l
}

// indexTables returns the tables of the indexes that the migrations make.
func indexTables(all []migration) map[string]string {
	tables := map[string]string{}
	for _, m := range all {
		for i := range m.statements {
			p := &parser{m.statements[i].tokens}
			if !p.skip("create", "index") && !p.skip("create", "unique", "index") {
				continue
			}
			p.skip("concurrently")
			index := p.object()
			p.skip("on")
			tables[index] = p.object()
		}
	}
	return tables
}
