package e2e_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Pages quote files of the repository: what they quote is there, and all Go code
// is quoted.
func TestSnippetsInPages(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		must(t, err)
		snippets := regexp.MustCompile("(?s)<!-- code: (\\S+) -->\n```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		quoted := 0
		for _, s := range snippets {
			if s[2] == "go" {
				quoted++
			}
			source, err := os.ReadFile(filepath.Join("..", s[1]))
			must(t, err)
			for block := range strings.SplitSeq(strings.TrimSuffix(s[3], "\n"), "\n\n\t…\n\n") {
				if !strings.Contains(string(source), block) {
					t.Errorf("%s does not hold this part of %s:\n%s", s[1], page, block)
				}
			}
		}
		if n := strings.Count(string(text), "```go"); n != quoted {
			t.Errorf("%s: %d of %d Go snippets name their file", page, quoted, n)
		}
	}
}

// pages returns the paths of the README and of the pages under docs.
func pages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	return append(pages, filepath.Join("..", "README.md"))
}

// What the pages name outside of snippets exists.
func TestNamesInPages(t *testing.T) {
	t.Parallel()
	names := map[string]map[string]bool{
		"durable":     exported(t, filepath.Join("..", "durable")),
		"durabletest": exported(t, filepath.Join("..", "durable", "durabletest")),
		"otelmetrics": exported(t, filepath.Join("..", "otelmetrics")),
	}
	names["Options"] = names["durable"]
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		must(t, err)
		for _, m := range regexp.MustCompile(`\b(durable|durabletest|otelmetrics|Options)\.([A-Z]\w*)`).FindAllSubmatch(text, -1) {
			if !names[string(m[1])][string(m[2])] {
				t.Errorf("%s names %s, which does not exist", filepath.Base(page), m[0])
			}
		}
	}
}

// exported returns the exported names that a package declares: functions, types,
// constants, variables, methods and fields.
func exported(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				names[n.Name.Name] = true
				return false
			case *ast.TypeSpec:
				names[n.Name.Name] = true
			case *ast.ValueSpec:
				addAll(names, n.Names)
			case *ast.Field:
				addAll(names, n.Names)
			}
			return true
		})
	}
	return names
}

func addAll(names map[string]bool, idents []*ast.Ident) {
	for _, ident := range idents {
		names[ident.Name] = true
	}
}
