package migrations

// parser reads the tokens of a statement from the left.
type parser struct{ rest []token }

// skip consumes these unquoted words, if they come next.
func (p *parser) skip(words ...string) bool {
	if len(p.rest) < len(words) {
		return false
	}
	for i, w := range words {
		if !p.rest[i].is(w) {
			return false
		}
	}
	p.rest = p.rest[len(words):]
	return true
}

// skipTo consumes all up to and including an unquoted word.
func (p *parser) skipTo(value string) {
	for i, t := range p.rest {
		if t.is(value) {
			p.rest = p.rest[i+1:]
			return
		}
	}
}

// name consumes a name, "" if none comes next.
func (p *parser) name() string {
	if len(p.rest) == 0 || p.rest[0].kind != word && p.rest[0].kind != quoted {
		return ""
	}
	name := p.rest[0].value
	p.rest = p.rest[1:]
	return name
}

// object consumes a name and what may stand before it.
func (p *parser) object() string {
	p.skip("if", "exists")
	p.skip("if", "not", "exists")
	p.skip("only")
	return p.name()
}

// actions splits what follows at commas outside parentheses.
func (p *parser) actions() []*parser {
	var actions []*parser
	depth, start := 0, 0
	for i, t := range p.rest {
		switch {
		case t.kind != mark:
		case t.value == "(" || t.value == "[":
			depth++
		case t.value == ")" || t.value == "]":
			depth--
		case t.value == "," && depth == 0:
			actions = append(actions, &parser{p.rest[start:i]})
			start = i + 1
		}
	}
	return append(actions, &parser{p.rest[start:]})
}
