package migrations

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// statement is one SQL statement of a file.
type statement struct {
	text   string // without the comments before it and the semicolon after it
	at     int    // byte offset in the file
	line   int    // of its first character in the file
	tokens []token
}

type tokenKind int

const (
	word   tokenKind = iota // a keyword, a name in lower case, or a number
	quoted                  // a quoted name
	text                    // a constant, in single quotes or between dollars
	mark                    // any other character
)

type token struct {
	kind  tokenKind
	value string // without quotes
	at    int    // byte offset in the statement
}

// is tells whether the token is an unquoted word, given in lower case.
func (t token) is(value string) bool {
	return t.kind == word && t.value == value
}

// scanner splits SQL the way the server and psql do. Bodies of functions must be
// string constants: it knows no BEGIN ATOMIC.
type scanner struct {
	sql   string
	at    int // byte offset
	start int // of the current statement's first token
	end   int // after its last token

	tokens     []token
	statements []statement
}

// splitSQL returns the statements of a file.
func splitSQL(sql string) ([]statement, error) {
	s := &scanner{sql: sql}
	for s.at < len(sql) {
		if err := s.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", 1+strings.Count(sql[:s.at], "\n"), err)
		}
	}
	s.flush()
	return s.statements, nil
}

// next consumes one token, comment or space.
func (s *scanner) next() error {
	rest := s.sql[s.at:]
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case unicode.IsSpace(r):
		s.at += size
	case strings.HasPrefix(rest, "--"):
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		s.at += end
	case strings.HasPrefix(rest, "/*"):
		length, err := commentLength(rest)
		s.at += length
		return err
	case r == ';':
		s.at += size
		s.flush()
	case r == '\'':
		return s.constant(0, false)
	case (r == 'e' || r == 'E') && strings.HasPrefix(rest[1:], "'"):
		return s.constant(1, true)
	case r == '"':
		return s.quotedName()
	case r == '$':
		return s.dollar()
	case isWordStart(r) || unicode.IsDigit(r):
		end := strings.IndexFunc(rest, func(r rune) bool { return !isWordStart(r) && !unicode.IsDigit(r) && r != '$' })
		if end < 0 {
			end = len(rest)
		}
		s.add(word, strings.ToLower(rest[:end]), end)
	default:
		s.add(mark, rest[:size], size)
	}
	return nil
}

func isWordStart(r rune) bool {
	return r == '_' || unicode.IsLetter(r)
}

// add appends a token of some bytes to the current statement.
func (s *scanner) add(kind tokenKind, value string, length int) {
	if len(s.tokens) == 0 {
		s.start = s.at
	}
	s.tokens = append(s.tokens, token{kind, value, s.at - s.start})
	s.at += length
	s.end = s.at
}

// flush ends the current statement.
func (s *scanner) flush() {
	if len(s.tokens) > 0 {
		line := 1 + strings.Count(s.sql[:s.start], "\n")
		s.statements = append(s.statements, statement{s.sql[s.start:s.end], s.start, line, s.tokens})
	}
	s.tokens = nil
}

// constant consumes a string constant whose quote comes after a prefix.
func (s *scanner) constant(prefix int, escapes bool) error {
	var value strings.Builder
	rest := s.sql[s.at:]
	for i := prefix + 1; i < len(rest); i++ {
		switch {
		case escapes && rest[i] == '\\':
			i++
		case rest[i] == '\'' && strings.HasPrefix(rest[i+1:], "'"):
			i++
			value.WriteByte('\'')
			continue
		case rest[i] == '\'':
			s.add(text, value.String(), i+1)
			return nil
		}
		if i < len(rest) {
			value.WriteByte(rest[i])
		}
	}
	return errors.New("a string constant does not end")
}

func (s *scanner) quotedName() error {
	rest := s.sql[s.at:]
	end := strings.IndexByte(rest[1:], '"')
	if end < 0 {
		return errors.New("a quoted name does not end")
	}
	s.add(quoted, rest[1:1+end], end+2)
	return nil
}

// dollar consumes a constant between dollars, or a lone dollar.
func (s *scanner) dollar() error {
	rest := s.sql[s.at:]
	end := strings.IndexFunc(rest[1:], func(r rune) bool { return !isWordStart(r) && !unicode.IsDigit(r) })
	if end < 0 || rest[1+end] != '$' || unicode.IsDigit(rune(rest[1])) {
		s.add(mark, "$", 1)
		return nil
	}
	delimiter := rest[:end+2]
	body, _, ok := strings.Cut(rest[len(delimiter):], delimiter)
	if !ok {
		return fmt.Errorf("a constant that begins with %s does not end", delimiter)
	}
	s.add(text, body, len(body)+2*len(delimiter))
	return nil
}

// commentLength measures a comment of the form /* */, which may hold others.
func commentLength(sql string) (int, error) {
	depth := 0
	for i := 0; i < len(sql); {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i += 2
		default:
			i++
		}
		if depth == 0 {
			return i, nil
		}
	}
	return 0, errors.New("a comment does not end")
}

// words returns the first n tokens that are unquoted words, for matching.
func (s *statement) words(n int) string {
	var words []string
	for _, t := range s.tokens {
		if t.kind != word || len(words) == n {
			break
		}
		words = append(words, t.value)
	}
	return strings.Join(words, " ")
}
