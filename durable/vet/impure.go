package vet

import (
	"go/types"
	"maps"
	"strings"
)

// impure is the fact that orchestration code must not call a function.
type impure struct {
	What     string // the first reason, such as "calls time.Now"
	Category string
	Advice   string
	Global   bool // the reason is a package variable
}

// AFact implements [golang.org/x/tools/go/analysis.Fact].
func (*impure) AFact() {}

func (i *impure) String() string { return i.What }

// helper is an ordinary function with what it does.
type helper struct {
	fn       *types.Func
	findings []finding
}

// spread finds the helpers that are impure, by themselves or because of what they
// call. Those nearest to a reason come first, so that the reasons are short.
func (c *checker) spread(helpers []helper) map[*types.Func]*impure {
	c.impures = make(map[*types.Func]*impure)
	for {
		next := make(map[*types.Func]*impure)
		for _, h := range helpers {
			if c.impures[h.fn] == nil {
				if fact := c.reason(h.findings); fact != nil {
					next[h.fn] = fact
				}
			}
		}
		if len(next) == 0 {
			return c.impures
		}
		maps.Copy(c.impures, next)
	}
}

// reason returns the first finding that matters to a caller, as far as is known
// yet, or nil.
func (c *checker) reason(findings []finding) *impure {
	for _, f := range findings {
		if f.callee != nil {
			fact := c.impureFact(f.callee)
			if fact == nil {
				continue
			}
			f = f.because(fact)
		}
		if f.direct || c.allow.at(c.Fset.Position(f.pos)) {
			continue
		}
		return &impure{What: f.what, Category: f.category, Advice: f.advice, Global: f.global}
	}
	return nil
}

// impureFact returns why a function must not be called, or nil. What another
// module keeps in its package variables, such as a cache, is its own affair.
func (c *checker) impureFact(fn *types.Func) *impure {
	if fn.Pkg() == c.Pkg {
		return c.impures[fn]
	}
	var fact impure
	if !c.ImportObjectFact(fn, &fact) || fact.Global && !c.sameModule(fn.Pkg()) {
		return nil
	}
	return &fact
}

// sameModule reports whether a package belongs to the module of this one, as far
// as the driver says.
func (c *checker) sameModule(pkg *types.Package) bool {
	if c.Module == nil || c.Module.Path == "" {
		return true
	}
	path := pathOf(pkg)
	return path == c.Module.Path || strings.HasPrefix(path, c.Module.Path+"/")
}
