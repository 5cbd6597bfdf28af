package vet

import (
	"cmp"
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports what does not belong in orchestration code. It has no flags.
var Analyzer = &analysis.Analyzer{
	Name: "durablevet",
	Doc: `report orchestration code that is not deterministic

Code with a *durable.Context runs again from the top on every replay, and must
then ask for the same things in the same order. This check reports goroutines,
channels, select, clocks, randomness, I/O, logging, locks, package variables that
change, iteration over maps that feeds calls, calls in deferred functions, and
futures that nobody keeps, also in functions that orchestration code calls. A
comment "//durable:allow reason" permits one line or one function.`,
	URL:       "https://pkg.go.dev/github.com/duroxide/duroxide-go/durable/vet",
	Run:       run,
	FactTypes: []analysis.Fact{(*impure)(nil), (*mutable)(nil)},
}

// checker looks at one package.
type checker struct {
	*analysis.Pass
	allow       allowances
	mutables    map[*types.Var]*mutable
	impures     map[*types.Func]*impure // of this package
	diagnostics []analysis.Diagnostic
	reported    map[finding]bool // a loop in a loop is looked at twice
}

func run(pass *analysis.Pass) (any, error) {
	if exempt(pass.Pkg) {
		return nil, nil
	}
	c := &checker{Pass: pass, reported: make(map[finding]bool)}
	c.allow = c.allowances()
	c.mutables = c.assignedVariables()

	var orchestrations []unit
	var helpers []helper
	for _, u := range c.units() {
		if u.orchestration {
			orchestrations = append(orchestrations, u)
		} else if u.fn != nil {
			helpers = append(helpers, helper{u.fn, c.findings(u)})
		}
	}
	c.impures = c.spread(helpers)
	for fn, fact := range c.impures {
		c.ExportObjectFact(fn, fact)
	}
	for _, u := range orchestrations {
		for _, f := range c.findings(u) {
			c.report(f)
		}
		c.futures(u)
		c.defers(u)
		c.contexts(u)
		c.mapOrder(u)
	}
	slices.SortStableFunc(c.diagnostics, func(a, b analysis.Diagnostic) int { return cmp.Compare(a.Pos, b.Pos) })
	for _, d := range c.diagnostics {
		c.Report(d)
	}
	return nil, nil
}

// report reports a finding of orchestration code, unless it is a call of a
// function that turned out to be harmless.
func (c *checker) report(f finding) {
	if f.callee != nil {
		fact := c.impureFact(f.callee)
		if fact == nil {
			return
		}
		f = f.because(fact)
	}
	if c.reported[f] || c.allow.at(c.Fset.Position(f.pos)) {
		return
	}
	c.reported[f] = true
	c.diagnostics = append(c.diagnostics, analysis.Diagnostic{
		Pos:      f.pos,
		Category: f.category,
		Message:  "orchestration code " + f.what + ": " + f.advice,
	})
}

func (c *checker) reportAt(n ast.Node, category, what, advice string) {
	c.report(finding{pos: n.Pos(), rule: rule{category: category, advice: advice}, what: what})
}
