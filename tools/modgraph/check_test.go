package main

import (
	"slices"
	"strings"
	"testing"
)

// good is a small workspace that keeps every rule; each case breaks one.
func good() []module {
	return []module{
		{
			folder: "base", path: prefix + "base", goVersion: goVersion,
			links:    []string{prefix + "base"},
			packages: []pkg{{path: prefix + "base", name: "base", hasDoc: true}},
		},
		{
			folder: "lib", path: prefix + "lib", goVersion: goVersion,
			requires: []require{
				{path: prefix + "base", version: "v0.1.0"},
				{path: "example.org/db", version: "v1.2.0"},
				{path: "example.org/assert", version: "v1.0.0"},
				{path: "example.org/pool", version: "v1.0.0", indirect: true},
			},
			packages: []pkg{
				{
					path: prefix + "lib", name: "lib", hasDoc: true,
					imports:     []string{prefix + "base", prefix + "lib/internal/sql", "example.org/db/conn"},
					testImports: []string{"example.org/assert"},
				},
				{path: prefix + "lib/internal/sql", name: "sql"},
				{path: prefix + "lib/libtest", name: "libtest", hasDoc: true, imports: []string{"example.org/assert"}},
			},
		},
		{
			folder: "lib/extra", path: prefix + "lib/extra", goVersion: goVersion,
			requires: []require{{path: prefix + "base", version: "v0.1.0"}},
		},
		{
			folder: "app", path: prefix + "app", goVersion: goVersion,
			requires: []require{
				{path: prefix + "lib", version: "v0.1.0"},
				{path: prefix + "base", version: "v0.1.0", indirect: true},
				{path: "example.org/db", version: "v1.2.0", indirect: true},
				{path: "example.org/flags", version: "v3.0.0"},
			},
			packages: []pkg{{path: prefix + "app", name: "main", imports: []string{prefix + "lib", "example.org/flags"}}},
		},
		{folder: "later", path: prefix + "later", goVersion: goVersion}, // nothing written yet
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	table := map[string]row{
		"base":      {stdOnly: true},
		"lib":       {siblings: []string{"base"}, external: []string{"example.org/db"}, testExternal: []string{"example.org/assert"}},
		"lib/extra": {siblings: []string{"base"}, testSiblings: []string{"lib"}},
		"app":       {anything: true},
		"later":     {siblings: []string{"lib"}},
	}
	brings := map[string][]string{"example.org/db": {"example.org/pool"}}

	const base, lib, extra, app, later = 0, 1, 2, 3, 4
	for _, tc := range []struct {
		name string
		edit func(m []module)
		want []string // a part of each finding
	}{
		{name: "good", edit: func([]module) {}},
		{
			name: "no row",
			edit: func(m []module) { m[app].folder, m[app].path = "new", prefix+"new" },
			want: []string{"new: no row in the table"},
		},
		{
			name: "module path",
			edit: func(m []module) { m[later].path = "example.org/later" },
			want: []string{"later: go.mod names the module example.org/later, want " + prefix + "later"},
		},
		{
			name: "go line",
			edit: func(m []module) { m[base].goVersion = "1.25.0" },
			want: []string{"base: go.mod says go 1.25.0, want go 1.26.0"},
		},
		{
			name: "toolchain line",
			edit: func(m []module) { m[base].toolchain = "go1.26.8" },
			want: []string{"base: go.mod has a toolchain line"},
		},
		{
			name: "replace",
			edit: func(m []module) { m[lib].replaces = []string{prefix + "base"} },
			want: []string{"lib: go.mod replaces " + prefix + "base"},
		},
		{
			name: "links more than the standard library",
			edit: func(m []module) { m[base].links = append(m[base].links, "example.org/db") },
			want: []string{"base: links example.org/db, but may link the standard library only"},
		},
		{
			name: "requires more than the standard library",
			edit: func(m []module) { m[base].requires = []require{{path: "example.org/db", version: "v1.2.0"}} },
			want: []string{"base: go.mod requires example.org/db; it may use nothing but the standard library"},
		},
		{
			name: "requires a sibling against the arrows",
			edit: func(m []module) { m[later].requires = []require{{path: prefix + "app", version: "v0.1.0"}} },
			want: []string{"later: go.mod requires " + prefix + "app; it may use lib"},
		},
		{
			name: "requires what no dependency brings along",
			edit: func(m []module) {
				m[lib].requires = append(m[lib].requires, require{path: "example.org/heavy", version: "v1.0.0", indirect: true})
			},
			want: []string{"lib: go.mod requires example.org/heavy indirectly"},
		},
		{
			name: "indirect sibling through an allowed one",
			edit: func(m []module) {
				m[later].requires = []require{
					{path: prefix + "lib", version: "v0.1.0"},
					{path: prefix + "base", version: "v0.1.0", indirect: true},
					{path: "example.org/pool", version: "v1.0.0", indirect: true},
				}
			},
		},
		{
			name: "imports what go.mod does not require",
			edit: func(m []module) { m[lib].requires = m[lib].requires[1:] },
			want: []string{"lib: " + prefix + "lib imports " + prefix + "base, which go.mod does not require"},
		},
		{
			name: "imports a test library outside tests",
			edit: func(m []module) {
				m[lib].packages[0].imports = append(m[lib].packages[0].imports, "example.org/assert")
			},
			want: []string{"lib: " + prefix + "lib imports example.org/assert; it may use base, example.org/db"},
		},
		{
			name: "tests import what is not allowed",
			edit: func(m []module) {
				m[lib].requires = append(m[lib].requires, require{path: "example.org/flags", version: "v3.0.0"})
				m[lib].packages[0].testImports = []string{"example.org/flags"}
			},
			want: []string{
				"lib: " + prefix + "lib imports example.org/flags; in its tests it may use base, example.org/db, example.org/assert",
				"lib: go.mod requires example.org/flags",
			},
		},
		{
			name: "a module below another is not part of it",
			edit: func(m []module) {
				m[lib].requires = append(m[lib].requires, require{path: prefix + "lib/extra", version: "v0.1.0"})
				m[lib].packages[0].imports = append(m[lib].packages[0].imports, prefix+"lib/extra/deep")
			},
			want: []string{
				"lib: " + prefix + "lib imports " + prefix + "lib/extra/deep; it may use",
				"lib: go.mod requires " + prefix + "lib/extra; it may use",
			},
		},
		{
			name: "cycle of requirements of tests",
			edit: func(m []module) {
				m[extra].requires = append(m[extra].requires, require{path: prefix + "lib", version: "v0.1.0"})
				m[extra].packages = []pkg{{path: prefix + "lib/extra", name: "extra", testsOnly: true, testImports: []string{prefix + "lib"}}}
				m[base].packages[0].testImports = []string{prefix + "lib/extra"}
			},
			want: []string{
				"base: arrows form a cycle: base -> lib/extra -> base",
				"base: arrows form a cycle: base -> lib/extra -> lib -> base",
				"base: " + prefix + "base imports " + prefix + "lib/extra, which go.mod does not require",
				"base: " + prefix + "base imports " + prefix + "lib/extra; in its tests it may use nothing",
			},
		},
		{
			name: "package without doc.go",
			edit: func(m []module) { m[lib].packages[2].hasDoc = false },
			want: []string{"lib: package " + prefix + "lib/libtest has no doc.go"},
		},
		{
			name: "different versions",
			edit: func(m []module) { m[app].requires[2].version = "v1.3.0" },
			want: []string{"go.mod files: example.org/db has different versions: v1.2.0 in lib; v1.3.0 in app"},
		},
		{
			name: "different versions of what nobody requires directly",
			edit: func(m []module) {
				m[app].requires = append(m[app].requires, require{path: "example.org/pool", version: "v9.0.0", indirect: true})
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			modules := good()
			tc.edit(modules)
			got := check(modules, table, brings)
			if !slices.EqualFunc(got, tc.want, strings.Contains) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tc.want, "\n  "))
			}
		})
	}
}

// TestTable makes sure that the allowed arrows themselves form no cycle.
func TestTable(t *testing.T) {
	t.Parallel()
	var modules []module
	for folder, r := range table {
		m := module{folder: folder, path: prefix + folder, goVersion: goVersion}
		for _, s := range r.allSiblings() {
			if _, ok := table[s]; !ok {
				t.Errorf("%s may use %s, which has no row", folder, s)
			}
			m.requires = append(m.requires, require{path: prefix + s, version: "v0.1.0"})
		}
		modules = append(modules, m)
	}
	if got := check(modules, table, brings); len(got) > 0 {
		t.Error(strings.Join(got, "\n"))
	}
}
