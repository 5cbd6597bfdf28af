package main

import (
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
)

// operation is what a statement, or one part of an ALTER TABLE, does to one
// object.
type operation struct {
	line int
	// verb and what say it: create index, drop table, add column, set
	// constraint, rename, insert. What is empty where the verb says it all.
	verb, what string
	// name is the object's, table the one that it belongs to or that is
	// affected; either can be empty.
	name, table string
	// guarded tells that the operation may run again: IF EXISTS, IF NOT EXISTS
	// or OR REPLACE, or a block around it that decides.
	guarded      bool
	concurrently bool
	// rest are the tokens after the names.
	rest []sqlfile.Token
}

func (o operation) is(verb, what string) bool { return o.verb == verb && o.what == what }

func (o operation) has(words ...string) bool { return sqlfile.Has(o.rest, words...) }

func (o operation) String() string {
	text := strings.TrimSpace(strings.ToUpper(o.verb) + " " + strings.ToUpper(o.what))
	if o.name != "" {
		text += " " + o.name
	}
	if o.table != "" && o.table != o.name {
		text += " on " + o.table
	}
	return text
}

// operations lists what a file does, with what its blocks do.
func operations(s *step) ([]operation, error) {
	var all []operation
	for _, statement := range s.statements {
		all = append(all, operationsOf(statement)...)
		pieces, err := sqlfile.Block(statement)
		if err != nil {
			return nil, err
		}
		inner, err := sqlfile.Unwrap(statement)
		if err != nil {
			return nil, err
		}
		for _, piece := range slices.Concat(pieces, inner) {
			for _, o := range operationsOf(piece) {
				o.guarded = true
				all = append(all, o)
			}
		}
	}
	return all, nil
}

func operationsOf(s sqlfile.Statement) []operation {
	c := s.Cursor()
	o := operation{line: s.Line, verb: c.Next().Text}
	switch o.verb {
	case "create":
		o.create(c)
	case "drop":
		return drops(o, c)
	case "alter":
		if c.Accept("table") {
			return alterTable(o, c)
		}
		c.Accept("materialized")
		o.what = c.Next().Text
		o.guard(c, "if", "exists")
		o.name, _ = c.Name()
	case "insert", "delete":
		c.AcceptAny("into", "from")
		c.Accept("only")
		o.table, _ = c.Name()
	case "update":
		c.Accept("only")
		o.table, _ = c.Name()
	case "truncate", "lock":
		c.Accept("table")
		c.Accept("only")
		o.table, _ = c.Name()
	case "cluster", "vacuum", "reindex":
		if _, ok := c.Parenthesised(); ok {
			break
		}
		c.AcceptAny("full", "verbose")
		if c.AcceptAny("table", "index") {
			o.concurrently = c.Accept("concurrently")
		}
		o.table, _ = c.Name()
	default:
		return nil
	}
	o.rest = c.Rest()
	return []operation{o}
}

func (o *operation) guard(c *sqlfile.Cursor, words ...string) {
	o.guarded = c.Accept(words...) || o.guarded
}

func (o *operation) create(c *sqlfile.Cursor) {
	o.guard(c, "or", "replace")
	for c.AcceptAny("unique", "unlogged", "temporary", "temp", "constraint", "materialized") {
		continue
	}
	o.what = c.Next().Text
	if o.what == "index" {
		o.concurrently = c.Accept("concurrently")
	}
	o.guard(c, "if", "not", "exists")
	if !c.Peek().Is("on") { // an index without a name
		o.name, _ = c.Name()
	}
	switch o.what {
	case "table":
		o.table = o.name
	case "index", "trigger":
		for !c.Done() && !c.Accept("on") {
			c.Next()
		}
		c.Accept("only")
		o.table, _ = c.Name()
	}
}

// drops makes an operation for each object that a statement drops.
func drops(o operation, c *sqlfile.Cursor) []operation {
	c.Accept("materialized")
	o.what = c.Next().Text
	o.concurrently = c.Accept("concurrently")
	o.guard(c, "if", "exists")
	var all []operation
	for {
		one := o
		one.name, _ = c.Name()
		c.Parenthesised() // the arguments of a function
		switch {
		case o.what == "table":
			one.table = one.name
		case c.Accept("on"): // a trigger
			one.table, _ = c.Name()
		}
		all = append(all, one)
		if !c.Accept(",") {
			return all
		}
	}
}

// alterTable makes an operation for each action.
func alterTable(o operation, c *sqlfile.Cursor) []operation {
	c.Accept("if", "exists")
	c.Accept("only")
	o.table, _ = c.Name()
	c.Accept("*")
	var all []operation
	for !c.Done() {
		one := o
		one.action(sqlfile.CursorOver(c.Upto()))
		all = append(all, one)
	}
	return all
}

func (o *operation) action(c *sqlfile.Cursor) {
	o.verb = c.Next().Text
	switch o.verb {
	case "add", "drop", "alter", "validate":
		o.what = "column"
		switch {
		case c.Accept("constraint"):
			o.what = "constraint"
		case o.verb == "add" && (c.Peek().Is("primary") || c.Peek().Is("unique") || c.Peek().Is("check") ||
			c.Peek().Is("foreign") || c.Peek().Is("exclude")):
			o.what = "constraint" // without a name
			o.rest = c.Rest()
			return
		default:
			c.Accept("column")
		}
		if !c.Accept("if", "not", "exists") {
			o.guard(c, "if", "exists")
		} else {
			o.guarded = true
		}
		o.name, _ = c.Name()
	case "rename":
		if !c.Peek().Is("to") {
			c.AcceptAny("column", "constraint")
			o.what = "column"
			o.name, _ = c.Name()
		}
	}
	o.rest = c.Rest()
}
