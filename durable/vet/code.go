package vet

import (
	"go/ast"
	"go/types"
	"strings"
)

const durablePath = "github.com/duroxide/duroxide-go/durable"

// unit is a function with the literals in it that are code of the same kind.
type unit struct {
	body          *ast.BlockStmt
	fn            *types.Func // nil for a literal and for init, which nobody calls by name
	orchestration bool
}

// units returns the functions of the package. A literal belongs to the function
// around it, unless it begins another kind of code: one that takes a
// *durable.Context in ordinary code, or one that takes a context.Context, such as
// an activity, in orchestration code.
func (c *checker) units() []unit {
	var units []unit
	var add func(u unit)
	literals := func(in ast.Node, orchestration bool) {
		ast.Inspect(in, func(n ast.Node) bool {
			lit, ok := n.(*ast.FuncLit)
			if !ok || c.orchestration(lit, orchestration) == orchestration {
				return true
			}
			add(unit{body: lit.Body, orchestration: !orchestration})
			return false
		})
	}
	add = func(u unit) {
		units = append(units, u)
		literals(u.body, u.orchestration)
	}
	for _, file := range c.Files {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				literals(decl, false) // values of package variables
				continue
			}
			if f.Body == nil {
				continue
			}
			if isInit(f) {
				add(unit{body: f.Body})
			} else if fn, ok := c.TypesInfo.Defs[f.Name].(*types.Func); ok {
				add(unit{body: f.Body, fn: fn, orchestration: takesContext(fn.Signature())})
			}
		}
	}
	return units
}

func isInit(f *ast.FuncDecl) bool { return f.Recv == nil && f.Name.Name == "init" }

// orchestration reports whether a literal is orchestration code, given whether
// the code around it is.
func (c *checker) orchestration(lit *ast.FuncLit, around bool) bool {
	sig, ok := c.TypesInfo.TypeOf(lit).(*types.Signature)
	switch {
	case !ok:
		return around
	case takesContext(sig):
		return true
	case sig.Params().Len() > 0 && isNamed(sig.Params().At(0).Type(), "context", "Context"):
		return false
	}
	return around
}

// inspect visits the nodes of a unit in the order of the source.
func (c *checker) inspect(u unit, visit func(ast.Node) bool) {
	c.inspectNode(u, u.body, visit)
}

func (c *checker) inspectNode(u unit, from ast.Node, visit func(ast.Node) bool) {
	ast.Inspect(from, func(n ast.Node) bool {
		if lit, ok := n.(*ast.FuncLit); ok && c.orchestration(lit, u.orchestration) != u.orchestration {
			return false
		}
		return n != nil && visit(n)
	})
}

// takesContext reports whether a function gets a *durable.Context, alone or in a
// struct.
func takesContext(sig *types.Signature) bool {
	if recv := sig.Recv(); recv != nil && holdsContext(recv.Type()) {
		return true
	}
	for v := range sig.Params().Variables() {
		if holdsContext(v.Type()) {
			return true
		}
	}
	return false
}

// holdsContext reports whether t is *durable.Context or a struct, or a pointer to
// one, with a field of that type.
func holdsContext(t types.Type) bool {
	if isDurable(t, "Context") {
		return true
	}
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if s, ok := t.Underlying().(*types.Struct); ok {
		for f := range s.Fields() {
			if isDurable(f.Type(), "Context") {
				return true
			}
		}
	}
	return false
}

// isDurable reports whether t is a pointer to that type of package durable.
func isDurable(t types.Type, name string) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	return ok && isNamed(p.Elem(), durablePath, name)
}

func isNamed(t types.Type, path, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && pathOf(n.Obj().Pkg()) == path
}

// pathOf is the import path of a package, without the " [x.test]" of a variant
// that is built for tests.
func pathOf(pkg *types.Package) string {
	path, _, _ := strings.Cut(pkg.Path(), " ")
	return path
}

// exempt reports whether a package is not looked at: those of the standard
// library, which the table knows, those of package durable, its own external tests
// excepted, and the main packages that go test makes.
func exempt(pkg *types.Package) bool {
	path := pathOf(pkg)
	first, _, _ := strings.Cut(path, "/")
	ours := path == durablePath || strings.HasPrefix(path, durablePath+"/") && !strings.HasSuffix(path, "_test")
	return ours || isStandard(first) || strings.HasSuffix(path, ".test")
}

// callee returns the declared function that a call calls, or nil.
func (c *checker) callee(call *ast.CallExpr) *types.Func {
	fn, _ := c.TypesInfo.Uses[calledName(call)].(*types.Func)
	return fn
}

// calledName returns the name at the end of what a call calls, or nil.
func calledName(call *ast.CallExpr) *ast.Ident {
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = x.X
	case *ast.IndexListExpr:
		fun = x.X
	}
	switch x := ast.Unparen(fun).(type) {
	case *ast.Ident:
		return x
	case *ast.SelectorExpr:
		return x.Sel
	}
	return nil
}
