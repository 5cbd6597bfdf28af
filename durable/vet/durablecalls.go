package vet

import (
	"go/ast"
	"go/types"
)

// futures reports futures that nobody keeps.
func (c *checker) futures(u unit) {
	c.inspect(u, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ExprStmt:
			if call, ok := ast.Unparen(n.X).(*ast.CallExpr); ok && isFuture(c.TypesInfo.TypeOf(call)) {
				c.discarded(call)
			}
		case *ast.AssignStmt:
			if len(n.Lhs) != len(n.Rhs) {
				return true
			}
			for i, lhs := range n.Lhs {
				if id, ok := lhs.(*ast.Ident); !ok || id.Name != "_" {
					continue
				}
				if call, ok := ast.Unparen(n.Rhs[i]).(*ast.CallExpr); ok && isFuture(c.TypesInfo.TypeOf(call)) {
					c.discarded(call)
				}
			}
		}
		return true
	})
}

func (c *checker) discarded(call *ast.CallExpr) {
	c.reportAt(call, discard.category, "discards the future of "+c.describe(call), discard.advice)
}

func isFuture(t types.Type) bool { return isDurable(t, "Future") }

// defers reports deferred calls that are given a Context.
func (c *checker) defers(u unit) {
	c.inspect(u, func(n ast.Node) bool {
		d, ok := n.(*ast.DeferStmt)
		if !ok {
			return true
		}
		call := d.Call
		if lit, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
			call = c.firstScheduling(u, lit.Body)
		} else if !c.schedules(call) {
			return true
		}
		if call != nil {
			c.reportAt(call, deferred.category, "calls "+c.describe(call)+" in a deferred function", deferred.advice)
		}
		return true
	})
}

// contexts reports calls that are given a context.Context: clients, repositories
// and the code of activities. Loggers of package log/slog take one too.
func (c *checker) contexts(u unit) {
	c.inspect(u, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sig, ok := coreType(c.TypesInfo.TypeOf(call.Fun)).(*types.Signature)
		if !ok || sig.Params().Len() == 0 || !isNamed(sig.Params().At(0).Type(), "context", "Context") {
			return true
		}
		if fn := c.callee(call); fn != nil && fn.Pkg() != nil {
			switch _, known := standardFunction(fn); {
			case known, c.impureFact(fn.Origin()) != nil: // reported already
				return true
			case fn.Pkg().Path() == "context", fn.Pkg().Path() == "log/slog":
				return true
			}
		}
		c.reportAt(call, activityWork.category, "gives "+c.describe(call)+" a context.Context", activityWork.advice)
		return true
	})
}

// firstScheduling returns the first call in a node that is given a Context, or
// nil.
func (c *checker) firstScheduling(u unit, in ast.Node) *ast.CallExpr {
	var first *ast.CallExpr
	c.inspectNode(u, in, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && first == nil && c.schedules(call) {
			first = call
		}
		return first == nil
	})
	return first
}

// onlyLook are the methods of a Context that leave no trace.
var onlyLook = map[string]bool{
	"InstanceID": true, "ExecutionID": true, "Name": true, "Version": true, "ParentID": true, "IsReplaying": true,
	"Now": true, "Status": true, "KVGetRaw": true, "KVKeys": true,
}

// schedules reports whether a call is given a Context, as an argument or as the
// receiver, and may therefore ask for something.
func (c *checker) schedules(call *ast.CallExpr) bool {
	if tv := c.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return false
	}
	for _, arg := range call.Args {
		if t := c.TypesInfo.TypeOf(arg); t != nil && holdsContext(t) {
			return true
		}
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || c.TypesInfo.Selections[sel] == nil {
		return false
	}
	if t := c.TypesInfo.TypeOf(sel.X); !holdsContext(t) || isDurable(t, "Context") && onlyLook[sel.Sel.Name] {
		return false
	}
	return true
}

// describe names what is called, such as "Charge.Schedule" or "ctx.Timer".
func (c *checker) describe(call *ast.CallExpr) string {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.FuncLit:
		return "a function"
	default:
		return types.ExprString(fun)
	}
}
