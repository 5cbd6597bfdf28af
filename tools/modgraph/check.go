package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

const (
	prefix    = "github.com/duroxide/duroxide-go/"
	goVersion = "1.26.0"
)

// module is what the checks need to know of one module of the workspace.
type module struct {
	folder    string // below the root, such as "core"
	path      string
	goVersion string
	toolchain string
	replaces  []string
	requires  []require
	packages  []pkg
	links     []string // the modules whose packages it or its tests link, its own included
}

type require struct {
	path, version string
	indirect      bool
}

type pkg struct {
	path        string
	name        string
	hasDoc      bool     // there is a doc.go
	testsOnly   bool     // there are no files but tests
	imports     []string // outside the standard library
	testImports []string // the same, of its tests
}

// check returns every finding, sorted.
func check(modules []module, table map[string]row, brings map[string][]string) []string {
	c := &checker{table: table, brings: brings, found: make(map[string]bool)}
	for _, m := range modules {
		c.module(m)
	}
	c.cycles(modules)
	c.versions(modules)
	return slices.Sorted(maps.Keys(c.found))
}

type checker struct {
	table  map[string]row
	brings map[string][]string
	found  map[string]bool
}

func (c *checker) report(folder, format string, args ...any) {
	c.found[folder+": "+fmt.Sprintf(format, args...)] = true
}

func (c *checker) module(m module) {
	c.modFile(m)
	r, ok := c.table[m.folder]
	if !ok {
		c.report(m.folder, "no row in the table of tools/modgraph/rules.go says what it may use")
		return
	}
	if r.stdOnly {
		for _, link := range m.links {
			if link != m.path {
				c.report(m.folder, "links %s, but may link the standard library only, tests included", link)
			}
		}
	}
	for _, req := range m.requires {
		c.require(m, r, req)
	}
	for _, p := range m.packages {
		c.pkg(m, r, p)
	}
}

func (c *checker) modFile(m module) {
	if want := prefix + m.folder; m.path != want {
		c.report(m.folder, "go.mod names the module %s, want %s", m.path, want)
	}
	if m.goVersion != goVersion {
		c.report(m.folder, "go.mod says go %s, want go %s in every module", m.goVersion, goVersion)
	}
	if m.toolchain != "" {
		c.report(m.folder, "go.mod has a toolchain line; the go line says enough")
	}
	for _, old := range m.replaces {
		c.report(m.folder, "go.mod replaces %s; replacements belong in go.work, importers do not see them", old)
	}
}

// require checks one requirement. An indirect one may be what an allowed module
// brings along.
func (c *checker) require(m module, r row, req require) {
	if r.anything {
		return
	}
	siblings, external := r.allSiblings(), r.allExternal()
	if req.indirect {
		siblings, external = c.closure(r)
	}
	allowed := slices.Contains(external, req.path)
	if folder, ok := strings.CutPrefix(req.path, prefix); ok {
		allowed = slices.Contains(siblings, folder)
	}
	switch {
	case allowed:
	case req.indirect:
		c.report(m.folder, "go.mod requires %s indirectly, which nothing that it may use brings along", req.path)
	default:
		c.report(m.folder, "go.mod requires %s; it may use %s", req.path, list(siblings, external))
	}
}

func (c *checker) pkg(m module, r row, p pkg) {
	if !p.hasDoc && !p.testsOnly && p.name != "main" && !isInternal(p.path) {
		c.report(m.folder, "package %s has no doc.go", p.path)
	}
	siblings, external := r.siblings, r.external
	if strings.HasSuffix(p.name, "test") {
		siblings, external = r.allSiblings(), r.allExternal()
	}
	for _, imp := range p.imports {
		c.imported(m, r, p.path, imp, siblings, external, "")
	}
	for _, imp := range p.testImports {
		c.imported(m, r, p.path, imp, r.allSiblings(), r.allExternal(), "in its tests ")
	}
}

func (c *checker) imported(m module, r row, from, imp string, siblings, external []string, where string) {
	home := c.sibling(imp)
	if home == m.folder {
		return
	}
	if !slices.ContainsFunc(m.requires, func(req require) bool {
		return req.path == prefix+home || home == "" && within(imp, req.path)
	}) {
		c.report(m.folder, "%s imports %s, which go.mod does not require", from, imp)
	}
	allowed := r.anything || slices.Contains(siblings, home) ||
		home == "" && slices.ContainsFunc(external, func(name string) bool { return within(imp, name) })
	if !allowed {
		c.report(m.folder, "%s imports %s; %sit may use %s", from, imp, where, list(siblings, external))
	}
}

// sibling is the folder of the module of ours that holds the package, such as
// pgprovider/entra rather than pgprovider, or "" if none does.
func (c *checker) sibling(imp string) string {
	best := ""
	for folder := range c.table {
		if within(imp, prefix+folder) && len(folder) > len(best) {
			best = folder
		}
	}
	return best
}

// closure is everything that the row allows with what that brings along.
func (c *checker) closure(r row) (siblings, external []string) {
	external = r.allExternal()
	for _, name := range r.allExternal() {
		external = append(external, c.brings[name]...)
	}
	for _, folder := range r.allSiblings() {
		siblings = append(siblings, folder)
		s, e := c.closure(c.table[folder])
		siblings, external = append(siblings, s...), append(external, e...)
	}
	return siblings, external
}

// cycles follows both what go.mod files say and what packages import.
func (c *checker) cycles(modules []module) {
	arrows := make(map[string][]string)
	for _, m := range modules {
		var to []string
		for _, req := range m.requires {
			if folder, ok := strings.CutPrefix(req.path, prefix); ok {
				to = append(to, folder)
			}
		}
		for _, p := range m.packages {
			for _, imp := range slices.Concat(p.imports, p.testImports) {
				if s := c.sibling(imp); s != "" && s != m.folder {
					to = append(to, s)
				}
			}
		}
		slices.Sort(to)
		arrows[m.folder] = slices.Compact(to)
	}
	done := make(map[string]bool)
	var visit func(folder string, trail []string)
	visit = func(folder string, trail []string) {
		if i := slices.Index(trail, folder); i >= 0 {
			c.report(folder, "arrows form a cycle: %s", strings.Join(append(trail[i:], folder), " -> "))
			return
		}
		if done[folder] {
			return
		}
		done[folder] = true
		for _, to := range arrows[folder] {
			visit(to, append(slices.Clone(trail), folder))
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(arrows)) {
		visit(folder, nil)
	}
}

// versions makes sure that what some module requires directly has the same
// version in every go.mod: otherwise the workspace tests another version than
// the one that an importer of a single module gets.
func (c *checker) versions(modules []module) {
	direct := make(map[string]bool)
	users := make(map[string]map[string][]string) // by path and version
	for _, m := range modules {
		for _, req := range m.requires {
			direct[req.path] = direct[req.path] || !req.indirect
			if users[req.path] == nil {
				users[req.path] = make(map[string][]string)
			}
			users[req.path][req.version] = append(users[req.path][req.version], m.folder)
		}
	}
	for name, versions := range users {
		if !direct[name] || len(versions) < 2 {
			continue
		}
		var parts []string
		for _, v := range slices.Sorted(maps.Keys(versions)) {
			parts = append(parts, v+" in "+strings.Join(versions[v], ", "))
		}
		c.report("go.mod files", "%s has different versions: %s", name, strings.Join(parts, "; "))
	}
}

func within(imp, module string) bool {
	return imp == module || strings.HasPrefix(imp, module+"/")
}

func isInternal(imp string) bool {
	for ; imp != "." && imp != "/"; imp = path.Dir(imp) {
		if path.Base(imp) == "internal" {
			return true
		}
	}
	return false
}

func list(siblings, external []string) string {
	all := slices.Concat(siblings, external)
	if len(all) == 0 {
		return "nothing but the standard library"
	}
	return strings.Join(all, ", ")
}
