package demo

import (
	"bytes"
	"strings"
	"testing"
)

func TestPlainProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newPrinter(Screen{Out: &out})
	p.progress(1, 9, "shipping 2")
	p.progress(2, 9, "shipping 1") // too soon for another line
	p.event("killed")
	p.endProgress()
	want := "   0.0s  1 of 9 orders through  shipping 2\n   0.0s  killed\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if p.style("1", "x") != "x" {
		t.Error("colour without permission")
	}
}

func TestTerminalProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newPrinter(Screen{Out: &out, Width: func() int { return 40 }})
	p.progress(1, 2, "reserving 1, shipping 1")
	line := out.String()
	if strings.Contains(line, "\n") || len([]rune(line)) != 39 || !strings.HasSuffix(line, "…") {
		t.Errorf("progress is %q", line)
	}
	out.Reset()
	p.event("killed")
	if want := "\r\x1b[K   0.0s  killed\n" + line; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	p.endProgress()
	p.endProgress()
	if out.String() != "\r\x1b[K" {
		t.Errorf("%q", out.String())
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		plural(1, "activity"):         "1 activity",
		plural(2, "activity"):         "2 activities",
		plural(0, "order"):            "0 orders",
		list(nil):                     "nobody",
		list([]string{"a"}):           "a",
		list([]string{"a", "b", "c"}): "a, b and c",
		cut("abc", 3):                 "abc",
		cut("abcd", 3):                "ab…",
		cut("abcd", 0):                "",
		tally(map[string]int{"a": 1, "b": 2, "c": 1}):                          "b 2, a 1, c 1",
		describe([]running{{Activity: "x"}}):                                   "1 activity: 1 x",
		describe([]running{{Activity: "y"}, {Activity: "x"}, {Activity: "y"}}): "3 activities: 1 x, 2 y",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBusiest(t *testing.T) {
	t.Parallel()
	a, b := &worker{name: "a"}, &worker{name: "b"}
	all := []running{{Worker: "a"}, {Worker: "b"}, {Worker: "b"}, {Worker: "dead"}, {Worker: "dead"}, {Worker: "dead"}}
	if w, n := busiest([]*worker{a, b}, all); w != b || n != 2 {
		t.Errorf("busiest is %v with %d", w, n)
	}
	if w, _ := busiest([]*worker{a}, nil); w != nil {
		t.Errorf("busiest of idle ones is %v", w)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	var out tail
	for range 1000 {
		if n, err := out.Write([]byte("0123456789")); n != 10 || err != nil {
			t.Fatal(n, err)
		}
	}
	if text := out.String(); len(text) != maxTail || !strings.HasSuffix(text, "0123456789") {
		t.Errorf("%d bytes", len(text))
	}
}
