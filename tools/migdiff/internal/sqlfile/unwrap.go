package sqlfile

import (
	"fmt"
	"regexp"
	"strings"
)

// tabStop is what expand uses by default.
const tabStop = 8

// Placeholder is what stands for the schema where a definition names it.
const Placeholder = "SCHEMA"

// Normalise makes two spellings of the same text equal: tabs become blanks, and
// lines lose blanks at their end.
func Normalise(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, ended := strings.CutSuffix(line, "\n")
		column := 0
		var expanded strings.Builder
		for _, r := range line {
			if r != '\t' {
				expanded.WriteRune(r)
				column++
				continue
			}
			n := tabStop - column%tabStop
			expanded.WriteString(strings.Repeat(" ", n))
			column += n
		}
		b.WriteString(strings.TrimRight(expanded.String(), " \r"))
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

var (
	formatSchema = regexp.MustCompile(`%(\d+\$)?I\.`)
	defines      = regexp.MustCompile(`(?i)^\s*(--[^\n]*\n\s*)*(create|drop)\s`)
)

// Unwrap returns the statements that a DO block runs from strings, or nothing
// if the statement is no such block. A literal is decoded exactly once, which
// undoubles the quotes that the level of quoting around it doubled, and no
// others: an empty literal stays one. In a template of format doubled percent
// signs count as one. Schema placeholders (%I. there, @SCHEMA@. elsewhere)
// become "SCHEMA.".
func Unwrap(s Statement) ([]Statement, error) {
	body, ok := block(s)
	if !ok {
		return nil, nil
	}
	tokens, err := Scan(body)
	if err != nil {
		return nil, fmt.Errorf("line %d: in the block: %w", s.Line, err)
	}
	var all []Statement
	for i, t := range tokens {
		if t.Kind != String || !defines.MatchString(t.Text) {
			continue
		}
		text := t.Text
		if i > 1 && tokens[i-1].Is("(") && tokens[i-2].Is("format") {
			text = formatSchema.ReplaceAllString(text, Placeholder+".")
			text = strings.ReplaceAll(text, "%%", "%")
		}
		text = strings.ReplaceAll(text, "@SCHEMA@.", Placeholder+".")
		inner, err := Split(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: in a string of the block: %w", s.Line, err)
		}
		for _, in := range inner {
			in.Line += s.Line + lineOf(s.Text, bodyStart(s)) + lineOf(body, t.Start) - 3
			all = append(all, in)
		}
	}
	return all, nil
}

// block returns the body of a DO statement.
func block(s Statement) (string, bool) {
	if !s.Cursor().Accept("do") {
		return "", false
	}
	for _, t := range s.Tokens {
		if t.Kind == String {
			return t.Text, true
		}
	}
	return "", false
}

func bodyStart(s Statement) int {
	for _, t := range s.Tokens {
		if t.Kind == String {
			return t.Start
		}
	}
	return 0
}

// Block returns the pieces of the body of a DO statement, see [Fragments], with
// their lines in the file, or nothing if it is none.
func Block(s Statement) ([]Statement, error) {
	body, ok := block(s)
	if !ok {
		return nil, nil
	}
	pieces, err := Fragments(body)
	if err != nil {
		return nil, fmt.Errorf("line %d: in the block: %w", s.Line, err)
	}
	for i := range pieces {
		pieces[i].Line += s.Line + lineOf(s.Text, bodyStart(s)) - 2
	}
	return pieces, nil
}
