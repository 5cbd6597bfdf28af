package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendStringEscapes(t *testing.T) {
	t.Parallel()
	named := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	runes := []rune{0x7f, 0x80, 0x2028, 0x2029, 0xfeff, 0xfffd, '世', '🚀', utf8.MaxRune}
	for r := range rune(0x7f) {
		runes = append(runes, r)
	}
	for _, r := range runes {
		want := string(r)
		if n, ok := named[r]; ok {
			want = n
		} else if r < 0x20 {
			want = fmt.Sprintf(`\u%04x`, r)
		}
		// At each place of a word and beyond it, to reach both loops.
		for pad := range 18 {
			x := strings.Repeat("x", pad)
			got := string(AppendString([]byte("a"), x+string(r)+x))
			if got != `a"`+x+want+x+`"` {
				t.Errorf("%U behind %d bytes: %s", r, pad, got)
			}
		}
	}
}

func TestWriterSeparatesMembers(t *testing.T) {
	t.Parallel()
	var w Writer
	one, text := uint64(1), "{"
	w.Open()
	w.StringOrSkip("no", nil)
	w.UintOrSkip("no", nil)
	w.OpenField("a")
	w.OpenField("b")
	w.Close()
	w.String("c", "{")
	w.Close()
	w.Bool("d", true)
	w.StringOrNull("e", nil)
	w.UintOrNull("f", nil)
	w.StringOrNull("g", &text)
	w.UintOrNull("h", &one)
	w.StringOrSkip("i", &text)
	w.UintOrSkip("j", &one)
	w.Close()
	const want = `{"a":{"b":{},"c":"{"},"d":true,"e":null,"f":null,"g":"{","h":1,"i":"{","j":1}`
	if string(w.Buf) != want {
		t.Errorf("got  %s\nwant %s", w.Buf, want)
	}
}

func scan(text string) (Scanner, Value, error) {
	var s Scanner
	if err := s.Reset([]byte(text)); err != nil {
		return s, Value{}, err
	}
	v, err := s.Value()
	if err == nil {
		err = s.End()
	}
	return s, v, err
}

func TestScannerRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, rule string }{
		{"", "unexpected end, want a value"},
		{" ", "unexpected end, want a value"},
		{"\x00", "want a value"},
		{"\ufeff1", "want a value"},
		{"nul", "want a value"},
		{"True", "want a value"},
		{"nullx", "unexpected text after the value"},
		{"1 2", "unexpected text after the value"},
		{"01", "unexpected text after the value"},
		{"-", "unexpected end, want a digit"},
		{"+1", "want a value"},
		{".5", "want a value"},
		{"1.", "unexpected end, want a digit"},
		{"1e", "unexpected end, want a digit"},
		{"1e+x", "want a digit"},
		{"NaN", "want a value"},
		{"'a'", "want a value"},
		{`"a`, "unexpected end in a string"},
		{`"a\`, "unexpected end in a string"},
		{`"\x"`, "bad escape"},
		{`"\u12"`, "bad escape: four hexadecimal digits have to follow"},
		{`"\u12g4"`, "bad escape: four hexadecimal digits have to follow"},
		{`"\ud800"`, "lone surrogate"},
		{`"\udc00"`, "lone surrogate"},
		{`"\ud800\ud800"`, "lone surrogate"},
		{`"\ud800\u0041"`, "lone surrogate"},
		{`"\ud800\n"`, "lone surrogate"},
		{`"\ud800\u`, "lone surrogate"},
		{"\"a\x01\"", "raw control character in a string"},
		{"\"a\n\"", "raw control character in a string"},
		{"\"12345678\x1f\"", "raw control character in a string"},
		{"\"\xff\"", "invalid UTF-8"},
		{"\"\xed\xa0\x80\"", "invalid UTF-8"}, // a surrogate in UTF-8
		{"{", "unexpected end, want a key"},
		{"{1:2}", "want a key"},
		{`{"a"}`, "want ':'"},
		{`{"a":}`, "want a value"},
		{`{"a":1,}`, "want a key"},
		{`{"a":1 "b":2}`, "want ',' or '}'"},
		{`{"a":1]`, "want ',' or '}'"},
		{"[", "unexpected end, want a value"},
		{"[1,]", "want a value"},
		{"[1 2]", "want ',' or ']'"},
		{"[1}", "want ',' or ']'"},
		{strings.Repeat("[", MaxDepth+1), "nested deeper than 127"},
		{strings.Repeat(`{"a":`, MaxDepth+1), "nested deeper than 127"},
	}
	for _, tt := range tests {
		_, v, err := scan(tt.text)
		if err == nil {
			t.Errorf("%.40q was accepted as %s", tt.text, v.Kind)
		} else if !strings.HasSuffix(err.Error(), ": "+tt.rule) {
			t.Errorf("%.40q: %q, want the rule %q", tt.text, err, tt.rule)
		}
	}
	if _, _, err := scan(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)); err != nil {
		t.Errorf("nested %d deep: %v", MaxDepth, err)
	}
}

func TestScannerUint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		bits int
		want uint64
		ok   bool
	}{
		{"0", 64, 0, true},
		{"9007199254740993", 64, 9007199254740993, true},
		{"18446744073709551615", 64, 18446744073709551615, true},
		{"18446744073709551616", 64, 0, false},
		{"99999999999999999999", 64, 0, false},
		{"184467440737095516150", 64, 0, false},
		{"4294967295", 32, 4294967295, true},
		{"4294967296", 32, 0, false},
		{"1.0", 64, 0, false},
		{"1e0", 64, 0, false},
		{"-0", 64, 0, false},
		{"-1", 64, 0, false},
		{`"1"`, 64, 0, false},
		{"null", 64, 0, false},
		{"true", 64, 0, false},
	}
	for _, tt := range tests {
		s, v, err := scan(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if got, ok := s.Uint(v, tt.bits); got != tt.want || ok != tt.ok {
			t.Errorf("%s in %d bits: %d, %v, want %d, %v", tt.text, tt.bits, got, ok, tt.want, tt.ok)
		}
	}
}

func TestScannerObject(t *testing.T) {
	t.Parallel()
	lookup := func(key []byte) int {
		switch string(key) {
		case "a":
			return 0
		case "b":
			return 1
		}
		return -1
	}
	var s Scanner
	// The key b is written with an escape.
	if err := s.Reset([]byte(` { "A" : 0 , "\u0062" : "x\ty" , "other" : [ { } , [ ] , null ] , "A" : 1 } `)); err != nil {
		t.Fatal(err)
	}
	var slots [2]Value
	if err := s.Object(slots[:], lookup); err != nil {
		t.Fatal(err)
	}
	if err := s.End(); err != nil {
		t.Error(err)
	}
	if slots[0].Kind != Absent {
		t.Errorf("a: got %s, want nothing: keys differ in case", slots[0].Kind)
	}
	if got := s.Text(slots[1]); got != "x\ty" || slots[1].Repeated {
		t.Errorf("b: %q, repeated %v", got, slots[1].Repeated)
	}

	if err := s.Reset([]byte(`{"a":null,"a":1}`)); err != nil {
		t.Fatal(err)
	}
	clear(slots[:])
	if err := s.Object(slots[:], lookup); err != nil || !slots[0].Repeated {
		t.Errorf("a repeated key was not noticed: %v", err)
	}
}

func TestScannerElements(t *testing.T) {
	t.Parallel()
	s, v, err := scan(` [ "a" , [ 1 , "]" ] , { "x" : "]" } , true,null]`)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	for e := range s.Elements(v) {
		kinds = append(kinds, e.Kind)
		if e.Kind == String && s.Text(e) != "a" {
			t.Errorf("text %q", s.Text(e))
		}
	}
	if want := []Kind{String, Array, Object, True, Null}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
}

// FuzzScanner holds the scanner against encoding/json: it accepts the same
// texts but for the rules that are stricter here, and reads the same strings.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{"", `{"a":[1,-2.5e+3,"\ud83d\ude80\u00e9\n",null,true,false]}`, `"\ud800"`, "\"\xff\"", `"a b/\/"`, "[1,2", "01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, v, err := scan(text)
		valid := json.Valid([]byte(text))
		if err == nil {
			if !valid {
				t.Fatalf("%q was accepted", text)
			}
			if v.Kind == String {
				var want string
				if err := json.Unmarshal([]byte(text), &want); err != nil {
					t.Fatal(err)
				}
				got := s.Text(v)
				if got != want {
					t.Fatalf("%q is read as %q, want %q", text, got, want)
				}
				written := string(AppendString(nil, got))
				if s, v, err := scan(written); err != nil || s.Text(v) != got {
					t.Fatalf("%q is written as %s: %v", got, written, err)
				}
			}
			return
		}
		stricter := !utf8.ValidString(text) || strings.Contains(err.Error(), "lone surrogate") || strings.Contains(err.Error(), "nested")
		if valid && !stricter {
			t.Fatalf("%q was refused: %v", text, err)
		}
	})
}
