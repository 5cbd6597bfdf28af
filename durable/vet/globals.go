package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// mutable is the fact that a package variable is assigned after the program has
// started.
type mutable struct {
	By string // the function that assigns it
}

// AFact implements [golang.org/x/tools/go/analysis.Fact].
func (*mutable) AFact() {}

func (m *mutable) String() string { return "assigned in " + m.By }

// assignedVariables returns the package variables that functions of the package
// assign, and exports the fact for its own. An init function may assign them, and
// so may a test, unless the variable is the test's own.
func (c *checker) assignedVariables() map[*types.Var]*mutable {
	assigned := make(map[*types.Var]*mutable)
	for _, file := range c.Files {
		testFile := c.inTest(file.Pos())
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil || isInit(f) {
				continue
			}
			for id := range c.targets(f.Body) {
				v := c.packageVariable(id)
				if v == nil || assigned[v] != nil || testFile && !c.inTest(v.Pos()) {
					continue
				}
				assigned[v] = &mutable{By: f.Name.Name}
				if v.Pkg() == c.Pkg {
					c.ExportObjectFact(v, assigned[v])
				}
			}
		}
	}
	return assigned
}

func (c *checker) inTest(pos token.Pos) bool {
	return strings.HasSuffix(c.Fset.Position(pos).Filename, "_test.go")
}

// packageVariable returns the package variable that a name means, or nil.
func (c *checker) packageVariable(id *ast.Ident) *types.Var {
	v, ok := c.TypesInfo.Uses[id].(*types.Var)
	if !ok || v.IsField() || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
		return nil
	}
	return v
}

// targets returns the names of variables at the root of what is assigned, counted
// up or down, deleted from, cleared or copied to.
func (c *checker) targets(body ast.Node) map[*ast.Ident]bool {
	found := make(map[*ast.Ident]bool)
	add := func(e ast.Expr) {
		if id := c.root(e); id != nil {
			found[id] = true
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					add(e)
				}
			}
		case *ast.IncDecStmt:
			add(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				add(n.Key)
				add(n.Value)
			}
		case *ast.CallExpr:
			if b, ok := c.TypesInfo.Uses[calledName(n)].(*types.Builtin); ok && len(n.Args) > 0 {
				switch b.Name() {
				case "delete", "clear", "copy":
					add(n.Args[0])
				}
			}
		}
		return true
	})
	return found
}

// root returns the name of the variable that holds what e means: x of x.f[i],
// and v of the other package's pkg.v.f. It is nil if there is none.
func (c *checker) root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			if pkg, ok := x.X.(*ast.Ident); ok {
				if _, ok := c.TypesInfo.Uses[pkg].(*types.PkgName); ok {
					return x.Sel
				}
			}
			e = x.X
		default:
			return nil
		}
	}
}

// variable returns what is wrong with using a variable.
func (c *checker) variable(v *types.Var, written bool) (finding, bool) {
	if v.IsField() || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
		return finding{}, false
	}
	name := v.Name()
	if v.Pkg() != c.Pkg {
		name = v.Pkg().Name() + "." + name
	}
	if r, ok := standard[pathOf(v.Pkg())+"."+v.Name()]; ok {
		return finding{rule: r, what: "uses " + name}, true
	}
	if written {
		return finding{rule: globalWrite, what: "writes the package variable " + name}, true
	}
	m := c.mutables[v]
	if m == nil && v.Pkg() != c.Pkg {
		if fact := new(mutable); c.ImportObjectFact(v, fact) && c.sameModule(v.Pkg()) {
			m = fact
		}
	}
	if m == nil {
		return finding{}, false
	}
	return finding{rule: globalRead, what: "reads the package variable " + name + " (" + m.String() + ")"}, true
}
