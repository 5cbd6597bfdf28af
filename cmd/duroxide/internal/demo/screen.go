package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Screen is where the demo is shown.
type Screen struct {
	Out io.Writer
	// Width returns the columns of a terminal, on which progress is one line
	// that changes. Nil means that Out is no terminal: progress is plain lines.
	Width func() int
	// Colour allows escape sequences for colours.
	Colour bool
}

// plainInterval is the time between two plain lines of progress.
const plainInterval = time.Second

// printer writes to a screen. It is used from one goroutine. What cannot be
// written is lost, as everywhere on a terminal.
type printer struct {
	Screen
	start    time.Time
	drawn    string // the line of progress that is there
	lastTime time.Time
	lastText string
}

func newPrinter(s Screen) *printer { return &printer{Screen: s, start: time.Now()} }

// printf writes lines above the progress.
func (p *printer) printf(format string, args ...any) {
	drawn := p.drawn
	p.clear()
	fmt.Fprintf(p.Out, format, args...)
	p.draw(drawn)
}

// event writes what has just happened, with the time.
func (p *printer) event(format string, args ...any) {
	p.printf("%s  %s\n", p.elapsed(), fmt.Sprintf(format, args...))
}

// elapsed is the time since the start, in a column.
func (p *printer) elapsed() string { return fmt.Sprintf("%6.1fs", time.Since(p.start).Seconds()) }

// heading writes the title of a part.
func (p *printer) heading(text string) { p.printf("\n%s\n", p.style("1", text)) }

// style makes text bold ("1") or coloured, where that is allowed.
func (p *printer) style(code, text string) string {
	if !p.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// progress shows how many of total are done: on a terminal at once, else now and
// then.
func (p *printer) progress(done, total int, detail string) {
	if p.Width == nil {
		text := fmt.Sprintf("%d of %d orders through  %s", done, total, detail)
		if time.Since(p.lastTime) >= plainInterval && text != p.lastText {
			p.lastTime, p.lastText = time.Now(), text
			p.event("%s", strings.TrimSpace(text))
		}
		return
	}
	const cells = 24
	full := cells * done / max(total, 1)
	bar := strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	p.clear()
	p.draw(fmt.Sprintf("%s  %s %d/%d  %s", p.elapsed(), bar, done, total, detail))
}

// endProgress takes the line of progress away.
func (p *printer) endProgress() { p.clear() }

func (p *printer) clear() {
	if p.drawn != "" {
		fmt.Fprint(p.Out, "\r\x1b[K")
		p.drawn = ""
	}
}

// draw writes the line of progress, cut to the width so that it stays one line.
func (p *printer) draw(line string) {
	if line == "" || p.Width == nil {
		return
	}
	line = cut(line, p.Width()-1)
	fmt.Fprint(p.Out, line)
	p.drawn = line
}

// cut shortens text to that many characters.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	return string([]rune(text)[:width-1]) + "…"
}

// plural is "1 order" or "2 orders".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list is "a", "a and b" or "a, b and c".
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return "nobody"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
