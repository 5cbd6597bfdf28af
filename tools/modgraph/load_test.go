package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLoad(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.work":           "go 1.26.0\n\nuse (\n\t./core\n\t./empty\n)\n",
		"core/go.mod":       "module " + prefix + "core\n\ngo 1.26.0\n\ntoolchain go1.26.1\n\nreplace example.org/a => ../a\n",
		"core/doc.go":       "package core\n",
		"core/core.go":      "package core\n\nimport (\n\t_ \"fmt\"\n\n\t_ \"example.org/gone\"\n)\n",
		"core/core_test.go": "package core_test\n\nimport _ \"" + prefix + "core\"\n",
		"core/sub/sub.go":   "package sub\n",
		"empty/go.mod":      "module " + prefix + "empty\n\ngo 1.26.0\n\nrequire example.org/b v1.0.0 // indirect\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The test may itself run outside the workspace or with another mod file.
	t.Setenv("GOWORK", filepath.Join(root, "go.work"))
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off")
	modules, err := load(t.Context(), root, map[string]row{"core": {stdOnly: true}})
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) != 2 {
		t.Fatalf("%d modules, want 2", len(modules))
	}
	core, empty := modules[0], modules[1]
	if core.path != prefix+"core" || core.goVersion != goVersion || core.toolchain != "go1.26.1" ||
		!slices.Equal(core.replaces, []string{"example.org/a"}) || !slices.Contains(core.links, core.path) {
		t.Errorf("core: %+v", core)
	}
	if len(core.packages) != 2 {
		t.Fatalf("packages of core: %+v", core.packages)
	}
	top, sub := core.packages[0], core.packages[1]
	if !top.hasDoc || top.testsOnly || !slices.Equal(top.imports, []string{"example.org/gone"}) || !slices.Equal(top.testImports, []string{prefix + "core"}) {
		t.Errorf("package core: %+v", top)
	}
	if sub.hasDoc || sub.name != "sub" || len(sub.imports) != 0 {
		t.Errorf("package sub: %+v", sub)
	}
	if len(empty.packages) != 0 || !slices.Equal(empty.requires, []require{{path: "example.org/b", version: "v1.0.0", indirect: true}}) {
		t.Errorf("empty: %+v", empty)
	}
}
