package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
)

const (
	functionHeading = "## Function Changes"
	offlineNotice   = "> Made without a database: all sections but Function Changes show the file's own statements."
)

// document is a diff file in the making.
type document struct{ strings.Builder }

func (d *document) line(format string, args ...any) {
	fmt.Fprintf(d, format+"\n", args...)
}

// paragraph writes a line and an empty one.
func (d *document) paragraph(format string, args ...any) {
	d.line(format+"\n", args...)
}

// fence writes a code block, fenced by more backticks than it holds in a row.
func (d *document) fence(language, text string) {
	ticks := "```"
	for strings.Contains(text, ticks) {
		ticks += "`"
	}
	d.paragraph("%s%s\n%s\n%s", ticks, language, strings.TrimSuffix(text, "\n"), ticks)
}

// render writes the document of a step. Without catalogues it makes do with the
// file.
func render(s *step, before, after *catalogue) string {
	d := &document{}
	d.paragraph("# Diff for migration %04d", s.file.Version)
	d.paragraph("Migration file: `%s`", s.file.Name)
	changes := s.changes()
	offline := after == nil
	var rest *delta
	if offline {
		d.paragraph(offlineNotice)
		rest = statedDelta(s)
	} else {
		rest = catalogueDelta(before, after)
	}
	d.warnings(changes, rest)
	d.section("## Table Changes", rest.tables, true)
	d.section("## New Indexes", rest.newIndexes, true)
	d.section("## Changed and Removed Indexes", rest.otherIndexes, false)
	d.functions(changes)
	d.section("## Trigger Changes", rest.triggers, false)
	d.section("## Comment Changes", rest.comments, false)
	d.section("## Privilege Changes", rest.privileges, false)
	return strings.TrimSuffix(d.String(), "\n")
}

// block is one heading with its code.
type block struct {
	heading, language, text string
}

// section writes the blocks; always writes the heading without any as well.
func (d *document) section(heading string, blocks []block, always bool) {
	if len(blocks) == 0 && !always {
		return
	}
	d.paragraph("%s", heading)
	if len(blocks) == 0 {
		d.paragraph("None.")
	}
	for _, b := range blocks {
		if b.heading != "" {
			d.paragraph("### %s", b.heading)
		}
		d.fence(b.language, b.text)
	}
}

func (d *document) functions(changes []change) {
	d.paragraph(functionHeading)
	if len(changes) == 0 {
		d.paragraph("None.")
	}
	for _, c := range changes {
		switch c.kind {
		case added:
			d.paragraph("### `%s` — new function", c.name())
			d.fence("sql", c.new.Text)
		case modified:
			d.paragraph("### `%s` — body modified (baseline: %04d)", c.name(), c.oldVersion)
			d.functionDiff(c)
		case resigned:
			d.paragraph("### `%s` — signature changed (baseline: %04d)", c.name(), c.oldVersion)
			d.fence("diff", "- "+c.old.Signature()+"\n+ "+c.new.Signature())
			d.functionDiff(c)
		case recreated:
			d.paragraph("### `%s` — dropped and created again without a change (baseline: %04d)", c.name(), c.oldVersion)
		case removed:
			d.paragraph("### `%s` — removed (baseline: %04d)", c.name(), c.oldVersion)
			d.fence("diff", "- "+c.old.Signature())
		}
	}
}

// functionDiff shows what changed, and once more without what only moved to
// the side if that hides the rest.
func (d *document) functionDiff(c change) {
	full := unified(c.old.Text, c.new.Text)
	if full == "" {
		return
	}
	d.fence("diff", full)
	if short := unifiedIgnoringIndent(c.old.Text, c.new.Text); 2*changedLines(short) < changedLines(full) {
		d.paragraph("Without changes of indentation only:")
		d.fence("diff", short)
	}
}

// warnings lists what clients that are already running can trip over.
func (d *document) warnings(changes []change, rest *delta) {
	var list []string
	for _, c := range changes {
		if c.breaks() {
			list = append(list, "`"+c.name()+"` "+c.warning())
		}
	}
	list = append(list, rest.warnings...)
	if len(list) == 0 {
		return
	}
	d.paragraph("## Warning")
	d.paragraph("These can break clients that are connected: the plans they have cached, and their calls of the\n" +
		"old form. Clients written in Rust are among them.")
	for _, text := range list {
		d.line("* %s", text)
	}
	d.line("")
}

func (c change) warning() string {
	const lost = "grants on it are lost"
	var what []string
	switch c.kind {
	case removed:
		return "is removed"
	case recreated:
		return "is dropped and created again: " + lost
	}
	if c.old.Types() != c.new.Types() {
		what = append(what, fmt.Sprintf("takes (%s) instead of (%s)", c.new.Types(), c.old.Types()))
	} else if c.old.Identity() != c.new.Identity() {
		what = append(what, "names its arguments otherwise")
	}
	if c.old.Result != c.new.Result {
		what = append(what, "has another result")
	}
	if c.new.Defaults() < c.old.Defaults() {
		what = append(what, "has fewer defaults")
	}
	if c.isRecreated || c.old.Types() != c.new.Types() {
		what = append(what, "is dropped and created again: "+lost)
	}
	return strings.Join(what, ", and ")
}

// functionSection cuts the section of the functions out of a document.
func functionSection(text string) string {
	_, after, found := strings.Cut(text, "\n"+functionHeading+"\n")
	if !found {
		return ""
	}
	fenced := ""
	var lines []string
	for line := range strings.Lines(after) {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fenced == "" && len(ticks) >= 3:
			fenced = ticks
		case fenced != "" && strings.TrimSuffix(line, "\n") == fenced:
			fenced = ""
		case fenced == "" && strings.HasPrefix(line, "## "):
			return strings.TrimRight(strings.Join(lines, ""), "\n") + "\n"
		}
		lines = append(lines, line)
	}
	return strings.TrimRight(strings.Join(lines, ""), "\n") + "\n"
}

// statedDelta sorts the statements of a file by what they are about.
func statedDelta(s *step) *delta {
	d := &delta{}
	for _, statement := range s.statements {
		c := statement.Cursor()
		first := c.Next().Text
		c.Accept("or", "replace")
		second := c.Next().Text
		if second == "unique" {
			second = c.Next().Text
		}
		if second == "function" || second == "procedure" || second == "routine" {
			continue
		}
		b := block{language: "sql", text: sqlfile.Normalise(statement.Text) + ";"}
		var into *[]block
		switch {
		case second == "index" && first == "create":
			into = &d.newIndexes
		case second == "index":
			into = &d.otherIndexes
		case second == "trigger":
			into = &d.triggers
		case first == "comment":
			into = &d.comments
		case slices.Contains([]string{"grant", "revoke"}, first):
			into = &d.privileges
		default: // blocks and changes of data too, so that nothing is lost
			into = &d.tables
		}
		*into = append(*into, b)
	}
	return d
}
