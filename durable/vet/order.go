package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// mapOrder reports what depends on the order of a map: calls that are given a
// Context, and slices and strings that are not sorted afterwards.
func (c *checker) mapOrder(u unit) {
	closures := c.schedulingClosures(u)
	c.inspect(u, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if c.isUnordered(n.X) {
				c.mapLoop(u, n, closures)
			}
		case *ast.AssignStmt:
			c.collected(u, n)
		}
		return true
	})
}

// isUnordered reports whether ranging over e goes in an order of chance: over a
// map, or over what package maps returns for one.
func (c *checker) isUnordered(e ast.Expr) bool {
	if _, ok := coreType(c.TypesInfo.TypeOf(e)).(*types.Map); ok {
		return true
	}
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	fn := c.callee(call)
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == "maps" && slices.Contains([]string{"Keys", "Values", "All"}, fn.Name())
}

// mapLoop reports the first call of a loop that is given a Context, and the
// variables that grow in it and are not sorted afterwards.
func (c *checker) mapLoop(u unit, loop *ast.RangeStmt, closures map[types.Object]bool) {
	reported := make(map[types.Object]bool)
	scheduled := false
	c.inspectNode(u, loop.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := calledName(n); !scheduled && (c.schedules(n) || name != nil && closures[c.TypesInfo.Uses[name]]) {
				scheduled = true
				c.reportAt(n, inMapOrder.category, "calls "+c.describe(n)+" in the order of a map", inMapOrder.advice)
			}
		case *ast.AssignStmt:
			if v := c.grows(n); v != nil && !reported[v] && v.Pos() < loop.Pos() && !c.sortedAfter(u, v, loop.End()) {
				reported[v] = true
				c.reportAt(n, inMapOrder.category, "fills "+v.Name()+" in the order of a map", inMapOrder.advice)
			}
		}
		return true
	})
}

// grows returns the variable of x = append(x, …), s += t and s = s + t, or nil.
func (c *checker) grows(n *ast.AssignStmt) types.Object {
	if len(n.Lhs) != 1 || n.Tok == token.DEFINE {
		return nil
	}
	v := c.rootObject(n.Lhs[0])
	if v == nil {
		return nil
	}
	if _, keyed := ast.Unparen(n.Lhs[0]).(*ast.IndexExpr); keyed {
		return nil // one element each, as in byCity[k] = append(byCity[k], v)
	}
	if basic, ok := coreType(c.TypesInfo.TypeOf(n.Lhs[0])).(*types.Basic); ok && basic.Info()&types.IsString != 0 {
		if n.Tok == token.ADD_ASSIGN {
			return v
		}
		if sum, ok := ast.Unparen(n.Rhs[0]).(*ast.BinaryExpr); ok && sum.Op == token.ADD && c.mentions(sum, v) {
			return v
		}
		return nil
	}
	if call, ok := ast.Unparen(n.Rhs[0]).(*ast.CallExpr); ok {
		if b, ok := c.TypesInfo.Uses[calledName(call)].(*types.Builtin); ok && b.Name() == "append" && c.mentions(call, v) {
			return v
		}
	}
	return nil
}

// collected reports x := slices.Collect(maps.Keys(m)) if x is not sorted
// afterwards.
func (c *checker) collected(u unit, n *ast.AssignStmt) {
	if len(n.Lhs) != len(n.Rhs) {
		return
	}
	for i, rhs := range n.Rhs {
		call, ok := ast.Unparen(rhs).(*ast.CallExpr)
		if !ok || len(call.Args) != 1 || !c.isUnordered(call.Args[0]) {
			continue
		}
		fn := c.callee(call)
		if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != "slices" || fn.Name() != "Collect" {
			continue
		}
		if v := c.rootObject(n.Lhs[i]); v != nil && !c.sortedAfter(u, v, n.End()) {
			c.reportAt(n, inMapOrder.category, "fills "+v.Name()+" in the order of a map", inMapOrder.advice)
		}
	}
}

func (c *checker) rootObject(e ast.Expr) types.Object {
	id := c.root(e)
	if id == nil {
		return nil
	}
	if v, ok := c.TypesInfo.ObjectOf(id).(*types.Var); ok {
		return v
	}
	return nil
}

func (c *checker) mentions(in ast.Node, v types.Object) bool {
	found := false
	ast.Inspect(in, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && c.TypesInfo.Uses[id] == v {
			found = true
		}
		return !found
	})
	return found
}

// sortedAfter reports whether the variable is given to a function that sorts,
// somewhere after pos: one of package sort, or one with "sort" in its name.
func (c *checker) sortedAfter(u unit, v types.Object, pos token.Pos) bool {
	found := false
	c.inspect(u, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || call.Pos() < pos {
			return !found
		}
		name := calledName(call)
		if name == nil {
			return !found
		}
		fn := c.callee(call)
		sorts := strings.Contains(strings.ToLower(name.Name), "sort") || fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == "sort"
		found = found || sorts && c.mentions(call, v)
		return !found
	})
	return found
}

// schedulingClosures returns the local variables that hold a literal which makes
// a call with a Context.
func (c *checker) schedulingClosures(u unit) map[types.Object]bool {
	found := make(map[types.Object]bool)
	c.inspect(u, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != len(assign.Rhs) {
			return true
		}
		for i, rhs := range assign.Rhs {
			if lit, ok := rhs.(*ast.FuncLit); ok && c.firstScheduling(u, lit.Body) != nil {
				if id, ok := assign.Lhs[i].(*ast.Ident); ok {
					found[c.TypesInfo.ObjectOf(id)] = true
				}
			}
		}
		return true
	})
	return found
}
