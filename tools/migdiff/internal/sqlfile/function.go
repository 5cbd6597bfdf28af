package sqlfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Function is a function or a procedure that a file defines.
type Function struct {
	Name      string
	Arguments []Argument
	// Result is the type as the server prints it, empty for a procedure.
	Result   string
	Language string
	// Body is what stands between the quotes.
	Body string
	// Attributes are those that differ from the default, such as IMMUTABLE, in
	// the order of the alphabet.
	Attributes []string
	// Settings are the names in the SET clauses, in the same order.
	Settings []string
	// Text is the whole statement, normalised.
	Text string
	// OrReplace tells that it may exist.
	OrReplace bool
}

// Argument of a function.
type Argument struct {
	Mode    string // "", "INOUT", "OUT" or "VARIADIC"
	Name    string
	Type    string // as the server prints it
	Default string // as the file has it
}

// Types lists the types that tell overloads of a function apart.
func (f *Function) Types() string {
	var types []string
	for _, a := range f.Arguments {
		if a.Mode != "OUT" {
			types = append(types, a.Type)
		}
	}
	return strings.Join(types, ", ")
}

// Identity is how the server prints the arguments without their defaults.
func (f *Function) Identity() string {
	var args []string
	for _, a := range f.Arguments {
		args = append(args, strings.TrimSpace(strings.Join([]string{a.Mode, a.Name, a.Type}, " ")))
	}
	return strings.Join(args, ", ")
}

// Defaults counts the arguments that a caller can leave out.
func (f *Function) Defaults() int {
	n := 0
	for _, a := range f.Arguments {
		if a.Default != "" {
			n++
		}
	}
	return n
}

// Signature is all that a caller sees.
func (f *Function) Signature() string {
	var args []string
	for _, a := range f.Arguments {
		arg := strings.TrimSpace(strings.Join([]string{a.Mode, a.Name, a.Type}, " "))
		if a.Default != "" {
			arg += " DEFAULT " + a.Default
		}
		args = append(args, arg)
	}
	signature := f.Name + "(" + strings.Join(args, ", ") + ")"
	if f.Result != "" {
		signature += " RETURNS " + f.Result
	}
	return signature
}

// ParseFunction understands a statement that creates a function. ok tells
// whether it is one.
func ParseFunction(s Statement) (f *Function, ok bool, err error) {
	c := s.Cursor()
	if !c.Accept("create") {
		return nil, false, nil
	}
	f = &Function{Text: Normalise(s.Text), OrReplace: c.Accept("or", "replace")}
	if !c.AcceptAny("function", "procedure") {
		return nil, false, nil
	}
	if f.Name, ok = c.Name(); !ok {
		return nil, true, fmt.Errorf("line %d: a function without a name", s.Line)
	}
	if err := f.parse(c, s.Text); err != nil {
		return nil, true, fmt.Errorf("line %d: function %s: %w", s.Line, f.Name, err)
	}
	return f, true, nil
}

func (f *Function) parse(c *Cursor, text string) error {
	args, ok := c.Parenthesised()
	if !ok {
		return errors.New("the list of arguments is missing or does not end")
	}
	for list := CursorOver(args); !list.Done(); {
		a, err := parseArgument(list.Upto(), text)
		if err != nil {
			return err
		}
		f.Arguments = append(f.Arguments, a)
	}
	for !c.Done() {
		if err := f.parseClause(c); err != nil {
			return err
		}
	}
	slices.Sort(f.Attributes)
	slices.Sort(f.Settings)
	if f.Language == "" {
		return errors.New("no language")
	}
	return nil
}

func parseArgument(tokens []Token, text string) (Argument, error) {
	var a Argument
	c := CursorOver(tokens)
	for _, mode := range []string{"inout", "in", "out", "variadic"} {
		// A mode is followed by a name or a type.
		if len(tokens) > 1 && tokens[1].isName() && c.Accept(mode) {
			if mode != "in" {
				a.Mode = strings.ToUpper(mode)
			}
			break
		}
	}
	rest := tokens[c.pos:]
	if i := slices.IndexFunc(rest, func(t Token) bool { return t.Is("default") || t.Is("=") }); i >= 0 {
		if i+1 == len(rest) {
			return a, errors.New("a default without a value")
		}
		a.Default = text[rest[i+1].Start:rest[len(rest)-1].End]
		rest = rest[:i]
	}
	if beginsWithName(rest) {
		a.Name = rest[0].Text
		rest = rest[1:]
	}
	if len(rest) == 0 || !rest[0].isName() {
		return a, errors.New("an argument without a type")
	}
	a.Type = typeName(rest)
	return a, nil
}

func (f *Function) parseClause(c *Cursor) error {
	switch {
	case c.Accept("returns", "null", "on", "null", "input"), c.Accept("strict"):
		f.Attributes = append(f.Attributes, "STRICT")
	case c.Accept("called", "on", "null", "input"), c.Accept("volatile"), c.Accept("not", "leakproof"),
		c.Accept("security", "invoker"), c.Accept("external", "security", "invoker"), c.Accept("parallel", "unsafe"):
		// the defaults
	case c.Accept("returns"):
		return f.parseResult(c)
	case c.Accept("immutable"):
		f.Attributes = append(f.Attributes, "IMMUTABLE")
	case c.Accept("stable"):
		f.Attributes = append(f.Attributes, "STABLE")
	case c.Accept("leakproof"):
		f.Attributes = append(f.Attributes, "LEAKPROOF")
	case c.Accept("security", "definer"), c.Accept("external", "security", "definer"):
		f.Attributes = append(f.Attributes, "SECURITY DEFINER")
	case c.Accept("parallel"):
		f.Attributes = append(f.Attributes, "PARALLEL "+strings.ToUpper(c.Next().Text))
	case c.Accept("cost"):
		f.Attributes = append(f.Attributes, "COST "+c.Next().Text)
	case c.Accept("rows"):
		f.Attributes = append(f.Attributes, "ROWS "+c.Next().Text)
	case c.Accept("language"):
		f.Language = strings.ToLower(c.Next().Text)
	case c.Accept("set"):
		return f.parseSetting(c)
	case c.Accept("as"):
		body := c.Next()
		if body.Kind != String {
			return errors.New("the body is not a string")
		}
		f.Body = body.Text
	default:
		return fmt.Errorf("cannot read it from %q on; state the body AS $$…$$", c.Next().Text)
	}
	return nil
}

func (f *Function) parseSetting(c *Cursor) error {
	name, ok := c.Name()
	if !ok {
		return errors.New("SET without a name")
	}
	f.Settings = append(f.Settings, name)
	if c.Accept("from", "current") {
		return nil
	}
	if !c.AcceptAny("to", "=") {
		return fmt.Errorf("SET %s without a value", name)
	}
	c.Next()
	for c.Accept(",") {
		c.Next()
	}
	return nil
}

func (f *Function) parseResult(c *Cursor) error {
	if c.Accept("table") {
		columns, ok := c.Parenthesised()
		if !ok {
			return errors.New("RETURNS TABLE without columns")
		}
		var list []string
		for columns := CursorOver(columns); !columns.Done(); {
			column := columns.Upto()
			if len(column) < 2 {
				return errors.New("a result column without a type")
			}
			list = append(list, column[0].Text+" "+typeName(column[1:]))
		}
		f.Result = "TABLE(" + strings.Join(list, ", ") + ")"
		return nil
	}
	start := c.pos
	for !c.Done() && !c.Peek().isClause() {
		c.pos++
	}
	if c.pos == start {
		return errors.New("RETURNS without a type")
	}
	f.Result = typeName(c.tokens[start:c.pos])
	return nil
}

// isClause tells whether the token begins a clause that can follow a result.
func (t Token) isClause() bool {
	return t.Kind == Word && slices.Contains([]string{
		"language", "as", "set", "immutable", "stable", "volatile", "strict", "called", "returns", "security",
		"external", "parallel", "cost", "rows", "leakproof", "not", "transform", "window", "support", "begin", "return",
	}, t.Text)
}

// Dropped is a function that a statement drops.
type Dropped struct {
	Name string
	// Types are as in [Function.Types]; Any tells that the statement names
	// none, which means the only overload.
	Types    string
	Any      bool
	IfExists bool
}

// ParseDrop understands a statement that drops functions; of any other it
// returns nothing.
func ParseDrop(s Statement) ([]Dropped, error) {
	c := s.Cursor()
	if !c.Accept("drop") || !c.AcceptAny("function", "procedure", "routine") {
		return nil, nil
	}
	ifExists := c.Accept("if", "exists")
	var dropped []Dropped
	for {
		d, err := parseReference(c, s.Text)
		if err != nil {
			return nil, fmt.Errorf("line %d: DROP FUNCTION: %w", s.Line, err)
		}
		d.IfExists = ifExists
		dropped = append(dropped, d)
		if !c.Accept(",") {
			return dropped, nil
		}
	}
}

// Altered is a function whose settings a statement changes.
type Altered struct {
	Dropped // which function
	Set     []string
	Reset   []string // "all" means each
	Text    string   // the statement, normalised
}

// ParseAlter understands a statement that changes the settings of a function; of
// any other it returns nothing. What else ALTER FUNCTION can do is an error: a
// function is then easier to review stated in full.
func ParseAlter(s Statement) (*Altered, error) {
	c := s.Cursor()
	if !c.Accept("alter") || !c.AcceptAny("function", "procedure", "routine") {
		return nil, nil
	}
	a := &Altered{Text: Normalise(s.Text)}
	var err error
	if a.Dropped, err = parseReference(c, s.Text); err != nil {
		return nil, fmt.Errorf("line %d: ALTER FUNCTION: %w", s.Line, err)
	}
	for !c.Done() {
		var f Function
		switch {
		case c.Accept("set") && !c.Peek().Is("schema"):
			if err := f.parseSetting(c); err != nil {
				return nil, fmt.Errorf("line %d: ALTER FUNCTION %s: %w", s.Line, a.Name, err)
			}
			a.Set = append(a.Set, f.Settings...)
		case c.Accept("reset"):
			name, _ := c.Name()
			a.Reset = append(a.Reset, name)
		default:
			return nil, fmt.Errorf("line %d: ALTER FUNCTION %s: only SET and RESET are understood, state the function in full instead",
				s.Line, a.Name)
		}
	}
	return a, nil
}

// parseReference reads the name and, if they are there, the types of a function.
func parseReference(c *Cursor, text string) (d Dropped, err error) {
	var ok bool
	if d.Name, ok = c.Name(); !ok {
		return d, errors.New("no name")
	}
	args, ok := c.Parenthesised()
	d.Any = !ok
	var types Function
	for list := CursorOver(args); !list.Done(); {
		a, err := parseArgument(list.Upto(), text)
		if err != nil {
			return d, fmt.Errorf("%s: %w", d.Name, err)
		}
		types.Arguments = append(types.Arguments, a)
	}
	d.Types = types.Types()
	return d, nil
}
