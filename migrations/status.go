package migrations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// SchemaStatus is what the ledgers of a schema say, for an operator to read.
type SchemaStatus struct {
	// Schema is its name.
	Schema string
	// Exists tells whether the schema is there.
	Exists bool
	// Version is the last version of the schema, 0 if there is none.
	Version int
	// MinClient is the last version that a program must have to use the schema.
	MinClient int
	// Applied are the recorded migrations, in order.
	Applied []AppliedFile
	// Pending are those that this program would apply.
	Pending []File
	// ForeignBodies is as in [Result].
	ForeignBodies []string
	// Problem is why this program refuses the schema, nil if it does not.
	// Pending migrations are no problem.
	Problem error
}

// AppliedFile is a row of a ledger.
type AppliedFile struct {
	File
	// AppliedAt is the server's time, zero if the ledger does not tell.
	AppliedAt time.Time
	// MinClient is the last version that a program must have to use a schema
	// with this migration.
	MinClient int
	// Known tells whether this program has the file.
	Known bool
	// Changed tells that this program has the file with another text.
	Changed bool
}

// Status reads what the ledgers of a schema say. It changes and locks nothing.
// A schema that a run refuses is described too, with the problem.
func Status(ctx context.Context, conn *pgx.Conn, options *Options) (*SchemaStatus, error) {
	r, err := newRunner(conn, FS(), options)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	status, err := r.status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrations: schema %q: %w", r.schema, err)
	}
	return status, nil
}

func (r *runner) status(ctx context.Context) (*SchemaStatus, error) {
	found, err := inspect(ctx, r.conn, r.schema, relationNames(r.files))
	if err != nil {
		return nil, err
	}
	times, err := r.appliedTimes(ctx, found)
	if err != nil {
		return nil, unreadable(err)
	}
	s := &SchemaStatus{
		Schema: r.schema, Exists: found.schema, Version: found.version(), ForeignBodies: found.foreign,
		Problem: found.check(r.files),
	}
	known := map[File]string{}
	for _, m := range r.files {
		known[m.File] = m.checksum
	}
	for _, row := range found.applied {
		applied := AppliedFile{File: row.File, AppliedAt: times[row.Version], MinClient: row.MinClient}
		if !row.own() {
			applied.MinClient = row.Version
		}
		checksum, ok := known[row.File]
		applied.Known = ok
		applied.Changed = ok && row.Checksum != "" && row.Checksum != checksum
		s.MinClient = max(s.MinClient, applied.MinClient)
		s.Applied = append(s.Applied, applied)
	}
	if s.Problem == nil {
		s.Pending = filesOf(r.pending(found))
	}
	return s, nil
}

// appliedTimes reads when the versions were recorded.
func (r *runner) appliedTimes(ctx context.Context, found *state) (map[int]time.Time, error) {
	times := map[int]time.Time{}
	for ledger, exists := range map[string]bool{sharedLedger: found.shared, ownLedger: found.own} {
		if !exists {
			continue
		}
		rows, err := r.conn.Query(ctx,
			`SELECT version, applied_at FROM `+pgx.Identifier{r.schema, ledger}.Sanitize()+` WHERE applied_at IS NOT NULL`,
			pgx.QueryExecModeExec)
		if err != nil {
			return nil, err
		}
		var version int
		var at time.Time
		_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
			times[version] = at
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return times, nil
}

// String describes the status in lines.
func (s *SchemaStatus) String() string {
	var b strings.Builder
	switch {
	case !s.Exists:
		fmt.Fprintf(&b, "schema %s does not exist\n", s.Schema)
	case len(s.Applied) == 0:
		fmt.Fprintf(&b, "schema %s is not migrated\n", s.Schema)
	default:
		fmt.Fprintf(&b, "schema %s is at version %d, for programs that have version %d\n", s.Schema, s.Version, s.MinClient)
	}
	for _, a := range s.Applied {
		at := "at an unknown time"
		if !a.AppliedAt.IsZero() {
			at = a.AppliedAt.UTC().Format(time.DateTime + "Z")
		}
		fmt.Fprintf(&b, "  applied  %-20s  %s", at, a.Name)
		switch {
		case !a.Known:
			b.WriteString("  (this program does not have it)")
		case a.Changed:
			b.WriteString("  (this program has it with another text)")
		}
		b.WriteString("\n")
	}
	for _, file := range s.Pending {
		fmt.Fprintf(&b, "  pending  %-20s  %s\n", "", file.Name)
	}
	if len(s.ForeignBodies) > 0 {
		fmt.Fprintf(&b, "functions that somebody else replaced, so that what needs ours is off: %s\n",
			strings.Join(s.ForeignBodies, ", "))
	}
	if s.Problem != nil {
		fmt.Fprintf(&b, "problem: %v\n", s.Problem)
	}
	return b.String()
}
