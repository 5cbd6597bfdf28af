package migrations

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// RunPlan is what a run would do to a schema, for an operator to read.
type RunPlan struct {
	// Schema is its name.
	Schema string
	// NewSchema tells whether the run makes the schema.
	NewSchema bool
	// Version is the last version of the schema now, 0 if there is none.
	Version int
	// Files are the migrations that the run would apply, in order.
	Files []PlannedFile
}

// PlannedFile is a migration that a run would apply.
type PlannedFile struct {
	File
	// Transactional tells whether the file is applied in one transaction, or
	// each statement on its own.
	Transactional bool
	// MinClient is the last version that a program must have to use the schema
	// afterwards. It is 0 for the shared lineage, which every program accepts
	// that has it.
	MinClient int
	// Statements are those of the file, in order.
	Statements []PlannedStatement
}

// PlannedStatement is one statement of a migration.
type PlannedStatement struct {
	// Line is where it begins in the file.
	Line int
	// Text is its beginning, on one line.
	Text string
	// Lock is the strongest lock that it takes on a table that is there before
	// the run, in the words of PostgreSQL's manual, such as "ACCESS EXCLUSIVE".
	// It is empty if there is none, and "unknown" if the text does not tell.
	Lock string
	// Table is the table of Lock.
	Table string
}

// Plan tells what [Run] with the same options would do. It changes and locks
// nothing, and refuses what a run refuses. The policy may be [Apply] or
// [ApplyShared].
func Plan(ctx context.Context, conn *pgx.Conn, options *Options) (*RunPlan, error) {
	r, err := newRunner(conn, FS(), options)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	plan, err := r.plan(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrations: schema %q: %w", r.schema, err)
	}
	return plan, nil
}

func (r *runner) plan(ctx context.Context) (*RunPlan, error) {
	found, pending, err := r.inspect(ctx)
	if err != nil {
		return nil, err
	}
	plan := &RunPlan{Schema: r.schema, NewSchema: !found.schema, Version: found.version()}
	tables := indexTables(r.files)
	for _, m := range pending {
		file := PlannedFile{File: m.File, Transactional: m.transactional}
		if !m.Shared() {
			file.MinClient = m.minClient
		}
		for i := range m.statements {
			s := &m.statements[i]
			planned := PlannedStatement{Line: s.line, Text: s.summary()}
			l := s.lock(tables)
			if _, exists := found.kinds[l.table]; exists || l.mode == unclear {
				planned.Lock, planned.Table = l.mode, l.table
			}
			file.Statements = append(file.Statements, planned)
		}
		plan.Files = append(plan.Files, file)
	}
	return plan, nil
}

// String describes the plan in lines.
func (p *RunPlan) String() string {
	var b strings.Builder
	switch {
	case len(p.Files) == 0:
		fmt.Fprintf(&b, "schema %s is at version %d: nothing to do\n", p.Schema, p.Version)
		return b.String()
	case p.NewSchema:
		fmt.Fprintf(&b, "schema %s would be made and migrated to version %d\n", p.Schema, p.Files[len(p.Files)-1].Version)
	default:
		fmt.Fprintf(&b, "schema %s is at version %d and would be migrated to version %d\n",
			p.Schema, p.Version, p.Files[len(p.Files)-1].Version)
	}
	used := map[string]bool{}
	for _, file := range p.Files {
		how := "in one transaction"
		if !file.Transactional {
			how = "each statement on its own"
		}
		fmt.Fprintf(&b, "\n%s, %s", file.Name, how)
		if file.MinClient > 0 {
			fmt.Fprintf(&b, ", for programs that have version %d", file.MinClient)
		}
		b.WriteString("\n")
		for _, s := range file.Statements {
			fmt.Fprintf(&b, "  line %-4d %s\n", s.Line, s.Text)
			if s.Lock != "" {
				used[s.Lock] = true
				fmt.Fprintf(&b, "            lock: %s\n", strings.TrimSpace(s.Lock+" "+s.Table))
			}
		}
	}
	if len(used) > 0 {
		b.WriteString("\nlocks on tables that exist:\n")
	}
	for _, m := range lockModes {
		if used[m.mode] {
			fmt.Fprintf(&b, "  %-22s %s\n", m.mode, m.effect)
		}
	}
	return b.String()
}
