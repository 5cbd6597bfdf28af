package main

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

// What the pages name outside of snippets exists.
func TestNames(t *testing.T) {
	t.Parallel()
	names := map[string]map[string]bool{
		"durable":     exported(t, filepath.Join("..", "..", "durable")),
		"durabletest": exported(t, filepath.Join("..", "..", "durable", "durabletest")),
		"otelmetrics": exported(t, filepath.Join("..", "..", "otelmetrics")),
	}
	names["Options"] = names["durable"]
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, page := range append(pages, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
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
