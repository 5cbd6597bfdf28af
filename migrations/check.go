package migrations

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// check refuses a state that the migrations of this program cannot continue or
// use.
func (s *state) check(all []migration) error {
	known := map[int]string{}
	for _, m := range all {
		known[m.Version] = m.Name
	}
	last := all[len(all)-1].Version
	var foreign, missing []File
	var unknown []record
	for _, r := range s.applied {
		name, ok := known[r.Version]
		switch {
		case ok && (name != r.Name || r.own() == r.Shared()):
			foreign = append(foreign, r.File)
		case !ok && r.own() && r.Version < last:
			foreign = append(foreign, r.File)
		case !ok && !r.admits(last):
			unknown = append(unknown, r)
		}
	}
	for _, m := range all {
		if m.Version < s.version() && !slices.ContainsFunc(s.applied, func(r record) bool { return r.Version == m.Version }) {
			missing = append(missing, m.File)
		}
	}
	switch {
	case !s.shared && len(s.applied) > 0:
		return fmt.Errorf("%w: there is no table %s, but %s records version %d; "+
			"restore the schema from a backup, or drop the whole schema to begin anew",
			ErrTables, sharedLedger, ownLedger, s.version())
	case len(foreign) > 0:
		return foreignLineage(foreign[0], cmp.Or(known[foreign[0].Version], "none"))
	case len(unknown) > 0:
		return unknownVersions(unknown, last)
	case len(missing) > 0:
		return fmt.Errorf("%w: version %d is recorded, but these before it are not: %s; "+
			"restore the ledger from a backup, or use another schema",
			ErrGap, s.version(), list(missing))
	}
	return s.checkRelations(all)
}

// foreignLineage names who uses a version for another file. Only duroxide-pg
// numbers its migrations in the shared ledger too, from the second with names of
// its own.
func foreignLineage(file File, known string) error {
	who := "it is a schema of duroxide-pg, whose tables are others, so choose another schema"
	if !file.Shared() {
		who = "a build that was never released made it, so run that one, or choose another schema"
	}
	return fmt.Errorf("%w: the ledger records version %v where this program has %s; %s",
		ErrForeignLineage, file, known, who)
}

// admits tells whether a program whose last version is given may use a schema
// with a migration that it does not have.
func (r *record) admits(last int) bool {
	return r.own() && r.MinClient <= last
}

func unknownVersions(unknown []record, last int) error {
	var files []File
	need := 0
	for _, r := range unknown {
		files = append(files, r.File)
		need = max(need, r.MinClient)
	}
	advice := "run a newer program"
	if need > last {
		advice = fmt.Sprintf("run a newer program: one that has version %d, this one ends at %d", need, last)
	}
	return fmt.Errorf("%w: the database has versions that this program does not know: %s; %s",
		ErrUnknownVersion, list(files), advice)
}

// checkRelations refuses a schema whose tables are not those of its version. A
// missing table must not be made again empty under recorded history, and a
// table that is there too early is somebody else's.
func (s *state) checkRelations(all []migration) error {
	tables, columns := ownRelations(all)
	if s.version() > all[len(all)-1].Version {
		// A newer program may have dropped what this one makes.
		tables, columns = nil, nil
	}
	tables = slices.Concat(sharedTables, tables, []relation{{name: ownLedger, since: firstOwn}})
	if s.version() > 0 {
		tables = append(tables, relation{name: sharedLedger, since: 1}) // not a view
	}
	missing, early := s.compare(tables, func(name string) (exists, fits bool) {
		kind, exists := s.kinds[name]
		return exists, kind == "r" || kind == "p"
	})
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%w: the ledger records version %d, but there is no table %s; "+
			"restore the schema from a backup, or drop the whole schema to begin anew",
			ErrTables, s.version(), strings.Join(missing, ", "))
	case len(early) > 0 && !s.shared:
		return fmt.Errorf("%w: there is no table %s, but already %s; "+
			"the schema is used by something else, so choose another",
			ErrTables, sharedLedger, strings.Join(early, ", "))
	case len(early) > 0:
		return fmt.Errorf("%w: the ledger records version %d, but later versions make %s; "+
			"move these out of the schema, or choose another schema",
			ErrTables, s.version(), strings.Join(early, ", "))
	}
	missing, early = s.compare(columns, func(name string) (exists, fits bool) {
		return s.columns[name], s.columns[name]
	})
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%w: the ledger records version %d, but there is no column %s; "+
			"somebody made the table again, so restore the schema from a backup, or drop the whole schema to begin anew",
			ErrTables, s.version(), strings.Join(missing, ", "))
	case len(early) > 0:
		return fmt.Errorf("%w: the ledger records version %d, but later versions make the columns %s; "+
			"drop them if nobody needs them, or choose another schema",
			ErrTables, s.version(), strings.Join(early, ", "))
	}
	return nil
}

// compare returns the relations of the schema's version that are not there and
// those of later versions that are.
func (s *state) compare(relations []relation, look func(name string) (exists, fits bool)) (missing, early []string) {
	for _, r := range relations {
		exists, fits := look(r.name)
		switch {
		case r.until > 0 && r.until <= s.version():
		case r.since <= s.version() && !fits:
			missing = append(missing, r.name)
		case r.since > s.version() && exists:
			early = append(early, r.name)
		}
	}
	return missing, early
}

// verify tells what keeps a schema that passed check from being used.
func (s *state) verify(pending []migration) error {
	switch {
	case !s.schema:
		return fmt.Errorf("%w: create it by running the migrations", ErrNoSchema)
	case !s.shared:
		return fmt.Errorf("%w: it has no table %s; run the migrations", ErrNoLedger, sharedLedger)
	case len(pending) > 0:
		return fmt.Errorf("%w: it is at version %d, and these are pending: %s; run the migrations",
			ErrBehind, s.version(), list(filesOf(pending)))
	}
	return nil
}

func list(files []File) string {
	var texts []string
	for _, file := range files {
		texts = append(texts, file.String())
	}
	return strings.Join(texts, ", ")
}
