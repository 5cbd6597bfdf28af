package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// rule is why something does not belong in orchestration code.
type rule struct {
	category string
	advice   string // what to do instead
	// direct: it matters in orchestration code itself, not in what it calls.
	direct bool
	// global: it is about a package variable.
	global bool
}

// finding is something that does not belong in orchestration code.
type finding struct {
	rule
	pos  token.Pos
	what string // such as "calls time.Now"
	// callee is a function that may be impure; the rule is not known then.
	callee *types.Func
}

// because completes the finding of a call with what is wrong with the callee.
func (f finding) because(fact *impure) finding {
	f.rule = rule{category: fact.Category, advice: fact.Advice, global: fact.Global}
	f.what += ", which " + fact.What
	f.callee = nil
	return f
}

// findings returns what a unit does that does not belong in orchestration code,
// in the order of the source, with every use of a function of this module or of
// another one that may turn out to be impure.
func (c *checker) findings(u unit) []finding {
	var found []finding
	add := func(n ast.Node, r rule, what string) {
		found = append(found, finding{rule: r, pos: n.Pos(), what: what})
	}
	var (
		called  = make(map[*ast.Ident]bool) // names that are called, not only used
		start   = make(map[*ast.Ident]ast.Expr)
		written = c.targets(u.body)
		read    = make(map[*types.Var]bool)
		comms   = make(map[ast.Node]bool) // operations of a select
	)
	c.inspect(u, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n, goroutine, "starts a goroutine")
		case *ast.SelectStmt:
			add(n, selection, "waits in a select")
			for _, clause := range n.Body.List {
				if comm := clause.(*ast.CommClause).Comm; comm != nil {
					ast.Inspect(comm, func(n ast.Node) bool {
						comms[n] = true
						return true
					})
				}
			}
		case *ast.SendStmt:
			if !comms[n] {
				add(n, channel, "sends on a channel")
			}
		case *ast.UnaryExpr:
			if n.Op == token.ARROW && !comms[n] {
				add(n, channel, "receives from a channel")
			}
		case *ast.RangeStmt:
			if _, ok := coreType(c.TypesInfo.TypeOf(n.X)).(*types.Chan); ok {
				add(n, channel, "receives from a channel")
			}
		case *ast.CallExpr:
			called[calledName(n)] = true
			if b, ok := c.TypesInfo.Uses[calledName(n)].(*types.Builtin); ok {
				switch b.Name() {
				case "close":
					add(n, channel, "closes a channel")
				case "print", "println":
					add(n, printing, "calls "+b.Name())
				}
			}
		case *ast.SelectorExpr:
			start[n.Sel] = n
		case *ast.Ident:
			at := start[n]
			if at == nil {
				at = n
			}
			switch obj := c.TypesInfo.Uses[n].(type) {
			case *types.Func:
				verb := "uses "
				if called[n] {
					verb = "calls "
				}
				if f, ok := c.function(obj.Origin(), verb); ok {
					f.pos = at.Pos()
					found = append(found, f)
				}
			case *types.Var:
				switch f, ok := c.variable(obj, written[n]); {
				case !ok:
				case written[n]:
					add(at, f.rule, f.what)
				case !read[obj]:
					read[obj] = true
					add(at, f.rule, f.what)
				}
			}
		}
		return true
	})
	return found
}

// function returns what is wrong, or may be, with a function.
func (c *checker) function(fn *types.Func, verb string) (finding, bool) {
	pkg := fn.Pkg()
	if pkg == nil { // error.Error
		return finding{}, false
	}
	what := verb + c.name(fn)
	if r, ok := standardFunction(fn); ok {
		return finding{rule: r, what: what}, true
	}
	if exempt(pkg) || takesContext(fn.Signature()) {
		return finding{}, false
	}
	return finding{what: what, callee: fn}, true
}

// name is how the package would call the function, such as "stamp",
// "billing.Stamp" or "Clock.Now".
func (c *checker) name(fn *types.Func) string {
	name := fn.Name()
	if recv := fn.Signature().Recv(); recv != nil {
		name = receiverName(recv) + "." + name
	}
	if fn.Pkg() != c.Pkg {
		name = fn.Pkg().Name() + "." + name
	}
	return name
}

// receiverName is the name of a receiver's type, or "" if it has none.
func receiverName(recv *types.Var) string {
	t := types.Unalias(recv.Type())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

// coreType is the underlying type; for a type parameter, that of its only term.
func coreType(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	if p, ok := types.Unalias(t).(*types.TypeParam); ok {
		if i, ok := p.Constraint().Underlying().(*types.Interface); ok && i.NumEmbeddeds() == 1 {
			if u, ok := i.EmbeddedType(0).(*types.Union); ok && u.Len() == 1 {
				return u.Term(0).Type().Underlying()
			}
			return i.EmbeddedType(0).Underlying()
		}
	}
	return t.Underlying()
}
