package e2e_test

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/validation"
)

var update = flag.Bool("update", false, "write durable/CATALOGUE.md instead of comparing it")

const (
	catalogueDir  = "testdata/catalogue"
	cataloguePage = "../durable/CATALOGUE.md"
)

// notApplicable are the reasons why a line may have no test in Go.
var notApplicable = map[string]string{
	"api":      "it is about an API of Rust that Go has no counterpart of",
	"language": "Go has no such state",
	"sqlite":   "it is about the inside of the SQLite provider of Rust",
	"types":    "it is about the serialisation of Rust types that are not on the wire",
}

// maxNotApplicable is how much of the catalogue may have no test, in percent.
const maxNotApplicable = 5

// A section is one file of the family's tests.
type section struct {
	name  string
	lines []line
}

// A line is one behaviour of the catalogue and the Go test that shows it.
type line struct {
	name, rule string
	pkg        string // below the root of the repository; empty if the line does not apply
	test       string // top-level function
	subtest    string // or a part of its name; empty for the whole test
	reason     string // a key of notApplicable
}

// Each behaviour of the family's catalogue has a test in Go which exists, or one of
// a few reasons why it does not apply, and the page that says so is up to date.
//
// testdata/catalogue/names.txt lists the catalogue, section by section; beside it
// lies one file a section with a line for each behaviour: its name, the rule in
// short, and the test, separated by tabs. A test is given as its package, a space
// and its name; a subtest is a literal of that package's tests, one of its golden
// samples, or a case of the conformance suite. Instead of a test, "- reason".
func TestCatalogue(t *testing.T) {
	t.Parallel()
	sections := readNames(t)
	for i := range sections {
		readLines(t, &sections[i])
	}
	checkTests(t, sections)
	page := renderCatalogue(sections)
	checkReasons(t, sections)
	if t.Failed() {
		return
	}
	if *update {
		must(t, os.WriteFile(cataloguePage, []byte(page), 0o644))
		return
	}
	stored, err := os.ReadFile(cataloguePage)
	must(t, err)
	if string(stored) != page {
		t.Errorf("%s is stale; run: go test ./e2e -run TestCatalogue -update", cataloguePage)
	}
}

// readNames returns the sections with the names of their lines.
func readNames(t *testing.T) []section {
	t.Helper()
	var sections []section
	n := 0
	for _, text := range textLines(t, filepath.Join(catalogueDir, "names.txt")) {
		if name, ok := strings.CutPrefix(text, "# "); ok {
			sections = append(sections, section{name: name})
			continue
		}
		last := &sections[len(sections)-1]
		last.lines = append(last.lines, line{name: text})
		n++
	}
	if n != 911 {
		t.Errorf("names.txt lists %d behaviours, want 911", n)
	}
	return sections
}

// readLines fills in what the section's file says.
func readLines(t *testing.T, s *section) {
	t.Helper()
	file := filepath.Join(catalogueDir, strings.TrimSuffix(s.name, ".rs")+".tsv")
	want, got := s.lines, textLines(t, file)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Errorf("%s: %s is missing", file, want[i].name)
		case i >= len(want):
			t.Errorf("%s:%d: more than the catalogue has: %s", file, i+1, got[i])
		default:
			name, err := parseLine(got[i], &want[i])
			if err != nil || name != want[i].name {
				t.Errorf("%s:%d: %q: want the line of %s; %v", file, i+1, got[i], want[i].name, err)
			}
		}
	}
}

func parseLine(text string, l *line) (name string, err error) {
	fields := strings.Split(text, "\t")
	if len(fields) != 3 || slices.Contains(fields, "") {
		return "", errors.New("want name, rule and test, separated by tabs")
	}
	l.rule = fields[1]
	first, second, _ := strings.Cut(fields[2], " ")
	if first == "-" {
		l.reason = second
	} else {
		l.pkg = first
		l.test, l.subtest, _ = strings.Cut(second, "/")
	}
	return fields[0], nil
}

// checkTests asks go test which tests exist, and looks for the subtests in the
// source.
func checkTests(t *testing.T, sections []section) {
	t.Helper()
	byPackage := map[string][]line{}
	for _, s := range sections {
		for _, l := range s.lines {
			if l.pkg != "" {
				byPackage[l.pkg] = append(byPackage[l.pkg], l)
			}
		}
	}
	cases := map[string]bool{}
	for _, c := range validation.Cases() {
		cases[c.Name] = true
	}
	for _, pkg := range slices.Sorted(maps.Keys(byPackage)) {
		out, err := inWorkspace(t, "test", "-list", "^(Test|Fuzz|Example)", "./"+pkg).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", pkg, err, out)
			continue
		}
		tests := strings.Split(string(out), "\n")
		source := testSource(t, pkg)
		for _, l := range byPackage[pkg] {
			switch {
			case !slices.Contains(tests, l.test):
				t.Errorf("%s: %s has no %s", l.name, pkg, l.test)
			case l.subtest == "" || cases[l.subtest]:
			case !strings.Contains(source, strconv.Quote(l.subtest)) && !strings.Contains(source, "`"+l.subtest+"`"):
				t.Errorf("%s: the tests of %s do not hold the literal %q", l.name, pkg, l.subtest)
			}
		}
	}
}

func testSource(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	must(t, err)
	samples, err := filepath.Glob(filepath.Join("..", pkg, "testdata", "golden", "*.json"))
	must(t, err)
	files = append(files, samples...)
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		source.Write(text)
	}
	return source.String()
}

func checkReasons(t *testing.T, sections []section) {
	t.Helper()
	without, total := 0, 0
	for _, s := range sections {
		for _, l := range s.lines {
			total++
			if l.pkg != "" {
				continue
			}
			without++
			if notApplicable[l.reason] == "" {
				t.Errorf("%s: unknown reason %q", l.name, l.reason)
			}
		}
	}
	if without*100 > total*maxNotApplicable {
		t.Errorf("%d of %d lines have no test, more than %d %%", without, total, maxNotApplicable)
	}
}

func renderCatalogue(sections []section) string {
	var b strings.Builder
	b.WriteString("# Catalogue of behaviours\n\n" +
		"<!-- Written by go test ./e2e -run TestCatalogue -update from e2e/testdata/catalogue; do not edit. -->\n\n" +
		"What the tests of the family's first runtime show, by the name of the test there, and\n" +
		"the Go test that shows it here. `TestX/y` is a subtest, or a part of its name.\n\n")
	total, reasons, packages := 0, map[string]int{}, map[string]int{}
	for _, s := range sections {
		total += len(s.lines)
		for _, l := range s.lines {
			if l.pkg == "" {
				reasons[l.reason]++
			} else {
				packages[l.pkg]++
			}
		}
	}
	fmt.Fprintf(&b, "| lines | %d |\n| --- | ---: |\n", total)
	for _, pkg := range byCount(packages) {
		fmt.Fprintf(&b, "| shown in `%s` | %d |\n", pkg, packages[pkg])
	}
	for _, reason := range byCount(reasons) {
		fmt.Fprintf(&b, "| not applicable: %s | %d |\n", notApplicable[reason], reasons[reason])
	}
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s (%d)\n\n| name | rule | test |\n| --- | --- | --- |\n", s.name, len(s.lines))
		for _, l := range s.lines {
			shown := "not applicable: " + notApplicable[l.reason]
			if l.pkg != "" {
				shown = fmt.Sprintf("`%s` %s", l.pkg, l.test)
				if l.subtest != "" {
					shown += "/" + l.subtest
				}
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.name, cell(l.rule), cell(shown))
		}
	}
	return b.String()
}

// byCount returns the keys, the most frequent first.
func byCount(m map[string]int) []string {
	return slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		return cmp.Or(cmp.Compare(m[y], m[x]), strings.Compare(x, y))
	})
}

// cell escapes what would end a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func textLines(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close() // it was only read
	var lines []string
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	must(t, scanner.Err())
	return lines
}
