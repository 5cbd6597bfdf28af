package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// headerLines are "diff old new", "--- old" and "+++ new". They are counted, not
// recognised, because a removed SQL comment begins with three dashes too.
const headerLines = 3

// unified returns the hunks of a unified diff, empty if there is no difference.
func unified(old, now string) string {
	text := diff.Diff("old", withNewline(old), "new", withNewline(now))
	for range headerLines {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return string(text)
}

func withNewline(text string) []byte {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return []byte(text)
}

var hunk = regexp.MustCompile(`^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@`)

// unifiedIgnoringIndent is [unified] of the texts without their indentation; the
// lines shown have it again.
func unifiedIgnoringIndent(old, now string) string {
	var b strings.Builder
	oldLines, newLines := strings.Split(old, "\n"), strings.Split(now, "\n")
	var o, n int // the lines that come next
	for line := range strings.Lines(unified(outdent(oldLines), outdent(newLines))) {
		if m := hunk.FindStringSubmatch(line); m != nil {
			o, _ = strconv.Atoi(m[1])
			n, _ = strconv.Atoi(m[2])
			b.WriteString(line)
			continue
		}
		switch line[0] {
		case '-':
			b.WriteString("-" + oldLines[o-1] + "\n")
			o++
		case '+':
			b.WriteString("+" + newLines[n-1] + "\n")
			n++
		default:
			b.WriteString(" " + newLines[n-1] + "\n")
			o++
			n++
		}
	}
	return b.String()
}

func outdent(lines []string) string {
	var left []string
	for _, line := range lines {
		left = append(left, strings.TrimLeft(line, " "))
	}
	return strings.Join(left, "\n")
}

// changedLines counts the lines of a diff that begin with a sign.
func changedLines(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if line[0] == '-' || line[0] == '+' {
			n++
		}
	}
	return n
}
