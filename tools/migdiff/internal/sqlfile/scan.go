package sqlfile

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind of a token.
type Kind int

// The kinds of tokens. Comments and blanks are none.
const (
	Word   Kind = iota // a keyword, a name or a number, in lower case
	Quoted             // a name in double quotes, without them
	String             // a literal, decoded
	Symbol             // one other character
)

// Token is a piece of SQL.
type Token struct {
	Kind Kind
	// Text is what the token means: folded, without quotes.
	Text string
	// Start and End are where it stands in the text.
	Start, End int
}

// Is tells whether the token is a keyword or a symbol.
func (t Token) Is(text string) bool {
	return (t.Kind == Word || t.Kind == Symbol) && t.Text == text
}

// isName tells whether the token can be a name.
func (t Token) isName() bool {
	return t.Kind == Quoted || t.Kind == Word
}

// Scan cuts SQL into tokens. The error names the line where something begins
// that does not end.
func Scan(text string) ([]Token, error) {
	s := scanner{text: text}
	for s.pos < len(text) {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	return s.tokens, nil
}

type scanner struct {
	text   string
	pos    int
	tokens []Token
}

func (s *scanner) next() error {
	rest := s.text[s.pos:]
	switch c := rest[0]; {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		s.pos++
	case strings.HasPrefix(rest, "--"):
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			s.pos += end
		} else {
			s.pos = len(s.text)
		}
	case strings.HasPrefix(rest, "/*"):
		return s.blockComment()
	case c == '\'':
		return s.quoted('\'', String, s.pos, false)
	case c == '"':
		return s.quoted('"', Quoted, s.pos, false)
	case (c == 'e' || c == 'E') && strings.HasPrefix(rest[1:], "'"):
		start := s.pos
		s.pos++
		return s.quoted('\'', String, start, true)
	case c == '$':
		return s.dollar()
	case isWordByte(c):
		end := 1
		for end < len(rest) && (isWordByte(rest[end]) || rest[end] == '$' || isDigit(c) && rest[end] == '.') {
			end++
		}
		s.add(Word, strings.ToLower(rest[:end]), s.pos, s.pos+end)
	default:
		_, size := utf8.DecodeRuneInString(rest)
		s.add(Symbol, rest[:size], s.pos, s.pos+size)
	}
	return nil
}

func (s *scanner) add(kind Kind, text string, start, end int) {
	s.tokens = append(s.tokens, Token{Kind: kind, Text: text, Start: start, End: end})
	s.pos = end
}

// blockComment skips a comment, which can hold others.
func (s *scanner) blockComment() error {
	start, depth := s.pos, 0
	for s.pos < len(s.text) {
		switch rest := s.text[s.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			s.pos += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			s.pos += 2
			if depth == 0 {
				return nil
			}
		default:
			s.pos++
		}
	}
	return s.unfinished("comment", start)
}

// quoted reads what stands between two quotes, where a doubled quote means one.
func (s *scanner) quoted(quote byte, kind Kind, start int, escapes bool) error {
	var b strings.Builder
	for i := s.pos + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case escapes && c == '\\' && i+1 < len(s.text):
			// What the escape means does not matter here, where the literal
			// ends does.
			b.WriteString(s.text[i : i+2])
			i++
		case c != quote:
			b.WriteByte(c)
		case i+1 < len(s.text) && s.text[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			s.add(kind, b.String(), start, i+1)
			return nil
		}
	}
	return s.unfinished("quote", start)
}

// dollar reads $tag$ literal $tag$, or a lone dollar as in $1.
func (s *scanner) dollar() error {
	rest := s.text[s.pos:]
	end := 1
	for end < len(rest) && isWordByte(rest[end]) && (end > 1 || !isDigit(rest[end])) {
		end++
	}
	if end == len(rest) || rest[end] != '$' {
		s.add(Symbol, "$", s.pos, s.pos+1)
		return nil
	}
	tag := rest[:end+1]
	body, _, found := strings.Cut(rest[len(tag):], tag)
	if !found {
		return s.unfinished("quote "+tag, s.pos)
	}
	s.add(String, body, s.pos, s.pos+2*len(tag)+len(body))
	return nil
}

func (s *scanner) unfinished(what string, start int) error {
	return fmt.Errorf("line %d: the %s that begins here does not end", lineOf(s.text, start), what)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return c == '_' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func lineOf(text string, pos int) int {
	return 1 + strings.Count(text[:pos], "\n")
}
