package sqlfile

import "slices"

// Statement is one statement of a file.
type Statement struct {
	// Text is its source, without the semicolon.
	Text string
	// Line is where it begins in the file, counted from 1.
	Line int
	// Tokens are what it consists of; their positions are those in Text.
	Tokens []Token
}

// Split cuts a file at the semicolons.
func Split(text string) ([]Statement, error) {
	tokens, err := Scan(text)
	if err != nil {
		return nil, err
	}
	var statements []Statement
	for part := range cut(tokens, func(t Token) bool { return t.Is(";") }) {
		statements = append(statements, newStatement(text, part))
	}
	return statements, nil
}

// Fragments cuts the body of a block into pieces that each hold one statement:
// at semicolons, and after the keywords that a statement can follow. Pieces of
// expressions are among them, which look like no statement.
func Fragments(body string) ([]Statement, error) {
	tokens, err := Scan(body)
	if err != nil {
		return nil, err
	}
	var statements []Statement
	for part := range cut(tokens, func(t Token) bool {
		return t.Kind != Quoted && t.Kind != String &&
			slices.Contains([]string{";", "begin", "then", "else", "loop", "declare"}, t.Text)
	}) {
		statements = append(statements, newStatement(body, part))
	}
	return statements, nil
}

// cut yields the runs of tokens between the separators.
func cut(tokens []Token, separates func(Token) bool) func(func([]Token) bool) {
	return func(yield func([]Token) bool) {
		start := 0
		for i := 0; i <= len(tokens); i++ {
			if i < len(tokens) && !separates(tokens[i]) {
				continue
			}
			if i > start && !yield(tokens[start:i]) {
				return
			}
			start = i + 1
		}
	}
}

func newStatement(text string, tokens []Token) Statement {
	first, last := tokens[0].Start, tokens[len(tokens)-1].End
	own := slices.Clone(tokens)
	for i := range own {
		own[i].Start -= first
		own[i].End -= first
	}
	return Statement{Text: text[first:last], Line: lineOf(text, first), Tokens: own}
}

// Cursor walks over the tokens of a statement.
type Cursor struct {
	tokens []Token
	pos    int
}

// Cursor returns a cursor at the first token.
func (s Statement) Cursor() *Cursor { return &Cursor{tokens: s.Tokens} }

// Done tells whether no token is left.
func (c *Cursor) Done() bool { return c.pos >= len(c.tokens) }

// Peek returns the next token, or an empty symbol at the end.
func (c *Cursor) Peek() Token {
	if c.Done() {
		return Token{Kind: Symbol}
	}
	return c.tokens[c.pos]
}

// Next returns the next token and goes on.
func (c *Cursor) Next() Token {
	t := c.Peek()
	c.pos++
	return t
}

// Accept goes past the words if all of them come next.
func (c *Cursor) Accept(words ...string) bool {
	if len(c.tokens)-c.pos < len(words) {
		return false
	}
	for i, word := range words {
		if !c.tokens[c.pos+i].Is(word) {
			return false
		}
	}
	c.pos += len(words)
	return true
}

// AcceptAny goes past the first of the words that comes next.
func (c *Cursor) AcceptAny(words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return c.Accept(word) })
}

// Name reads a name and leaves out the schema before it.
func (c *Cursor) Name() (string, bool) {
	for {
		t := c.Peek()
		if !t.isName() {
			return "", false
		}
		c.pos++
		if !c.Accept(".") {
			return t.Text, true
		}
	}
}

// Parenthesised reads what stands in parentheses and leaves the cursor behind.
func (c *Cursor) Parenthesised() ([]Token, bool) {
	if !c.Accept("(") {
		return nil, false
	}
	start, depth := c.pos, 1
	for ; c.pos < len(c.tokens); c.pos++ {
		switch t := c.tokens[c.pos]; {
		case t.Is("("):
			depth++
		case t.Is(")"):
			if depth--; depth == 0 {
				c.pos++
				return c.tokens[start : c.pos-1], true
			}
		}
	}
	return nil, false
}

// Upto reads the tokens before the next comma outside of parentheses, and goes
// past the comma.
func (c *Cursor) Upto() []Token {
	start, depth := c.pos, 0
	for ; c.pos < len(c.tokens); c.pos++ {
		switch t := c.tokens[c.pos]; {
		case t.Is("("), t.Is("["):
			depth++
		case t.Is(")"), t.Is("]"):
			depth--
		case t.Is(",") && depth == 0:
			c.pos++
			return c.tokens[start : c.pos-1]
		}
	}
	return c.tokens[start:]
}

// Has tells whether the words come one after the other somewhere.
func Has(tokens []Token, words ...string) bool {
	for i := range tokens {
		if (&Cursor{tokens: tokens, pos: i}).Accept(words...) {
			return true
		}
	}
	return false
}

// CursorOver returns a cursor over tokens.
func CursorOver(tokens []Token) *Cursor { return &Cursor{tokens: tokens} }

// Rest returns the tokens that are left.
func (c *Cursor) Rest() []Token { return c.tokens[min(c.pos, len(c.tokens)):] }
