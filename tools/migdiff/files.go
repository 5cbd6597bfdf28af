package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sumsFile = "sums.txt"

func documentName(s *step) string {
	return fmt.Sprintf("%04d_diff.md", s.file.Version)
}

func (t *tool) writeDocument(s *step, text string) error {
	path := filepath.Join(t.dir, documentName(s))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "migrations/%s\n", documentName(s))
	return nil
}

// compareDocument reports the difference between a document and what it should
// be. Offline that is the section of the functions only.
func (t *tool) compareDocument(s *step, want string) (stale bool, err error) {
	have, err := os.ReadFile(filepath.Join(t.dir, documentName(s)))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(t.stdout, "migrations/%s is missing: run go run ./tools/migdiff %04d\n", documentName(s), s.file.Version)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	got := string(have)
	if t.offline {
		got, want = functionSection(got), functionSection(want)
	}
	if got == want {
		return false, nil
	}
	fmt.Fprintf(t.stdout, "migrations/%s is stale: run go run ./tools/migdiff %04d\n%s",
		documentName(s), s.file.Version, unified(got, want))
	return true, nil
}

// strayDocuments reports documents of migrations that do not exist.
func (t *tool) strayDocuments() error {
	paths, err := filepath.Glob(filepath.Join(t.dir, "*_diff.md"))
	if err != nil {
		return err
	}
	var found error
	for _, path := range paths {
		name := filepath.Base(path)
		if !slices.ContainsFunc(t.steps, func(s *step) bool { return documentName(s) == name }) {
			fmt.Fprintf(t.stdout, "migrations/%s belongs to no migration\n", name)
			found = errFound
		}
	}
	return found
}

// sum is the line of a file in the form of sha256sum.
func sum(s *step) string {
	return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(s.text)), s.file.Name)
}

// readSums returns the lines by the names of the files.
func readSums(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(text)) {
		_, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok {
			return nil, fmt.Errorf("%s: cannot read the line %q", sumsFile, line)
		}
		sums[name] = line
	}
	return sums, nil
}

// writeSums takes the files as they are.
func writeSums(dir string, steps []*step) error {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(sum(s))
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), []byte(b.String()), 0o644)
}

// addSums adds the files that have no line, and refuses if one changed.
func addSums(dir string, steps []*step) error {
	sums, err := readSums(dir)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if line, ok := sums[s.file.Name]; ok && line != sum(s) {
			return fmt.Errorf("%s is not what %s says. If no database has it yet, accept it with --sums; "+
				"else undo the change and write a new migration", s.file.Name, sumsFile)
		}
	}
	return writeSums(dir, steps)
}
