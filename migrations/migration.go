package migrations

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ownPrefix begins the names of the tables, columns, indexes and functions that
// the own lineage adds.
const ownPrefix = "dxgo_"

// migration is a file with what the runner knows of its text.
type migration struct {
	File
	sql        string
	statements []statement
	// transactional files are applied in one transaction with their record.
	transactional bool
	// minClient is the last version that a program must have to use a schema
	// with this migration.
	minClient int
	checksum  string
	// bodies are the hashes of the shared functions that the file replaces.
	bodies map[string]string
}

// load reads all migrations.
func load(fsys fs.FS) ([]migration, error) {
	files, err := listFiles(fsys)
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(files))
	for _, file := range files {
		data, err := fs.ReadFile(fsys, file.Name)
		if err != nil {
			return nil, err
		}
		m, err := parse(file, string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// parse reads the markers in the comment that a file begins with, one a line:
//
//	-- transaction: none
//	-- min_client: 0101
//
// Without the first, the file runs in a transaction; without the second, a
// program that does not have the file may not use the schema.
func parse(file File, sql string) (m migration, err error) {
	m = migration{
		File: file, sql: sql, transactional: true, minClient: file.Version, checksum: hash(sql), bodies: map[string]string{},
	}
	if m.statements, err = splitSQL(sql); err != nil {
		return m, err
	}
	for line := range strings.Lines(sql) {
		comment, ok := strings.CutPrefix(line, "--")
		if !ok {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(comment), ":")
		if err := m.setMarker(name, strings.TrimSpace(value)); err != nil {
			return m, err
		}
	}
	if !file.Shared() {
		for i := range m.statements {
			name, body, ok := m.statements[i].function()
			if ok && !strings.HasPrefix(name, ownPrefix) {
				m.bodies[name] = hash(body)
			}
		}
	}
	return m, nil
}

func (m *migration) setMarker(name, value string) error {
	switch {
	case name != "transaction" && name != "min_client":
		return nil
	case m.Shared():
		return fmt.Errorf("marker %s in a file of the shared lineage", name)
	case name == "transaction" && value != "none":
		return fmt.Errorf("marker transaction is %q, want none", value)
	case name == "transaction":
		m.transactional = false
		return nil
	}
	version, err := strconv.Atoi(value)
	if err != nil || version < SharedVersion || version > m.Version {
		return fmt.Errorf("marker min_client is %q, want a version from %04d to %04d", value, SharedVersion, m.Version)
	}
	m.minClient = version
	return nil
}

// function returns the name and the body of the function that a statement makes.
func (s *statement) function() (name, body string, ok bool) {
	var at int
	switch head := s.words(4); {
	case strings.HasPrefix(head, "create function "), strings.HasPrefix(head, "create procedure "):
		at = 2
	case head == "create or replace function", head == "create or replace procedure":
		at = 4
	default:
		return "", "", false
	}
	if at >= len(s.tokens) {
		return "", "", false
	}
	for i := at; i+1 < len(s.tokens); i++ {
		if s.tokens[i].is("as") && s.tokens[i+1].kind == text {
			return s.tokens[at].value, s.tokens[i+1].value, true
		}
	}
	return "", "", false
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// filesOf returns the migrations as files.
func filesOf(all []migration) []File {
	files := make([]File, 0, len(all))
	for _, m := range all {
		files = append(files, m.File)
	}
	return files
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
