package vet

import (
	"go/ast"
	"go/token"
	"strings"
)

const allowDirective = "//durable:allow"

// allowances are the lines that comments permit, by file.
type allowances map[string]map[int]bool

func (a allowances) at(p token.Position) bool { return a[p.Filename][p.Line] }

// allowances reads the comments "//durable:allow reason". One after code permits
// its line, one on a line of its own the next, and one in a function's doc comment
// the whole function. One without a reason is reported and permits nothing.
func (c *checker) allowances() allowances {
	found := make(allowances)
	for _, file := range c.Files {
		comments := c.allowComments(file)
		if len(comments) == 0 {
			continue
		}
		name := c.Fset.Position(file.Pos()).Filename
		lines := make(map[int]bool)
		found[name] = lines
		code := c.codeLines(file)
		for _, comment := range comments {
			line := c.Fset.Position(comment.Pos()).Line
			if !code[line] {
				line++
			}
			lines[line] = true
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Doc == nil {
				continue
			}
			for _, comment := range comments {
				if f.Doc.Pos() <= comment.Pos() && comment.Pos() < f.Doc.End() {
					for line := c.Fset.Position(f.Pos()).Line; line <= c.Fset.Position(f.End()).Line; line++ {
						lines[line] = true
					}
				}
			}
		}
	}
	return found
}

// allowComments returns the comments of a file that permit something, and reports
// those without a reason.
func (c *checker) allowComments(file *ast.File) []*ast.Comment {
	var found []*ast.Comment
	for _, group := range file.Comments {
		for _, comment := range group.List {
			reason, ok := strings.CutPrefix(comment.Text, allowDirective)
			reason, _, _ = strings.Cut(reason, "//")
			switch {
			case !ok || reason != "" && !strings.HasPrefix(reason, " "):
			case strings.TrimSpace(reason) == "":
				c.Reportf(comment.Pos(), "%s needs a reason, as in %s the cache is the same in every process", allowDirective, allowDirective)
			default:
				found = append(found, comment)
			}
		}
	}
	return found
}

// codeLines returns the lines on which something other than a comment begins or
// ends.
func (c *checker) codeLines(file *ast.File) map[int]bool {
	lines := make(map[int]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.Comment, *ast.CommentGroup:
			return false
		}
		if n != file {
			lines[c.Fset.Position(n.Pos()).Line] = true
			lines[c.Fset.Position(n.End()-1).Line] = true
		}
		return true
	})
	return lines
}
