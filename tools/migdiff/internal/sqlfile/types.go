package sqlfile

import (
	"regexp"
	"slices"
	"strings"
)

// The names that the server prints for types that have several.
var aliases = map[string]string{
	"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint",
	"bool": "boolean", "float8": "double precision", "float": "double precision", "float4": "real",
	"timestamptz": "timestamp with time zone", "timetz": "time with time zone",
	"timestamp": "timestamp without time zone", "time": "time without time zone",
	"varchar": "character varying", "char": "character", "decimal": "numeric",
	"serial": "integer", "bigserial": "bigint",
}

// Types of several words, by their first.
var multiword = []string{
	"double precision", "character varying", "bit varying",
	"timestamp with time zone", "timestamp without time zone",
	"time with time zone", "time without time zone",
}

var array = regexp.MustCompile(`(\[\d*\])+$`)

// typeName writes a type as the server prints it among arguments, where a
// length or precision has no meaning.
func typeName(tokens []Token) string {
	var words []string
	suffix := ""
	for c := CursorOver(tokens); !c.Done(); {
		if _, ok := c.Parenthesised(); ok {
			continue
		}
		switch t := c.Next(); {
		case t.Is("["), t.Is("]"), t.Kind == Word && suffix != "" && isDigit(t.Text[0]):
			suffix += t.Text
		case t.Is(".") && len(words) > 0:
			words[len(words)-1] += "."
		case len(words) > 0 && strings.HasSuffix(words[len(words)-1], "."):
			words[len(words)-1] += t.Text
		default:
			words = append(words, t.Text)
		}
	}
	if suffix != "" {
		suffix = array.ReplaceAllString(suffix, "[]") // the server keeps no more
	}
	name := strings.TrimPrefix(strings.Join(words, " "), "pg_catalog.")
	if set, ok := strings.CutPrefix(name, "setof "); ok {
		return "SETOF " + alias(set) + suffix
	}
	return alias(name) + suffix
}

func alias(name string) string {
	if full, ok := aliases[name]; ok {
		return full
	}
	return name
}

// beginsWithName tells whether the first token of an argument is its name and
// not yet its type.
func beginsWithName(tokens []Token) bool {
	if len(tokens) < 2 || !tokens[1].isName() {
		return false
	}
	whole := strings.Builder{}
	for _, t := range tokens {
		if !t.isName() {
			break
		}
		whole.WriteString(t.Text + " ")
	}
	return !slices.ContainsFunc(multiword, func(m string) bool {
		return strings.HasPrefix(whole.String(), m+" ")
	})
}
