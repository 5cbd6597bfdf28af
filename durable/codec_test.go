package durable

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// level is a string type with a text form of its own.
type level string

func (l level) MarshalText() ([]byte, error) { return []byte("<" + string(l) + ">"), nil }

func (l *level) UnmarshalText(b []byte) error {
	*l = level(strings.Trim(string(b), "<>"))
	return nil
}

type plain string

type form struct {
	Z int            `json:"z"`
	A string         `json:"a"`
	M map[string]any `json:"m,omitempty"`
	P *form          `json:"p,omitempty"`
}

// codecCase is a value with its text; the text decodes to the value again.
type codecCase struct {
	name string
	text string
	run  func() (text string, back any, err error)
	want any
}

// both encodes and decodes v.
func both[T any](name string, v T, text string) codecCase {
	return codecCase{name, text, func() (string, any, error) {
		s, err := encode(v)
		if err != nil {
			return "", nil, err
		}
		back, err := decode[T](s)
		return s, back, err
	}, v}
}

func TestCodec(t *testing.T) {
	s := "text"
	tests := []codecCase{
		both("string travels raw", "héllo <&> \"x\" \\ \n", "héllo <&> \"x\" \\ \n"),
		both("empty string", "", ""),
		both("string that looks like null", "null", "null"),
		both("string that looks like a number", "7", "7"),
		both("string that looks like an object", `{"a": 1}`, `{"a": 1}`),
		both("string with a lone quote", `"half`, `"half`),
		both("named string", plain("x y"), "x y"),
		both("named string, empty", plain(""), ""),
		both("string with a form of its own", level("high"), "<high>"),
		both("number", -7, "-7"),
		both("large number", uint64(math.MaxUint64), "18446744073709551615"),
		both("large number in an object", map[string]int64{"n": math.MaxInt64}, `{"n":9223372036854775807}`),
		both("float", 1e21, "1e+21"),
		both("bool", true, "true"),
		both("unit", struct{}{}, "null"),
		both("nil pointer", (*int)(nil), "null"),
		both("pointer to a string", &s, "text"),
		both("nil slice", []int(nil), "null"),
		both("slice", []int{3, 1}, "[3,1]"),
		both("slice of strings", []string{"b", "<"}, `["b","<"]`),
		both("bytes", []byte{1, 2, 255}, "AQL/"),
		both("struct: keys are sorted", form{Z: 1, A: "<&>"}, `{"a":"<&>","z":1}`),
		both("nested: keys are sorted", []form{{P: &form{A: "x"}, M: map[string]any{"y": "1", "x": nil}}}, `[{"a":"","m":{"x":null,"y":"1"},"p":{"a":"x","z":0},"z":0}]`),
		both("raw JSON is left alone", json.RawMessage(`{"b":1, "a":2}`), `{"b":1, "a":2}`),
		both("time", time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), "2026-03-01T12:00:00.000000005Z"),
		both("duration", 90*time.Second, "90000000000"),
		both("any: object", any(map[string]any{"b": 1.5, "a": "x"}), `{"a":"x","b":1.5}`),
		both("any: string", any("plain"), "plain"),
		both("any: nil", any(nil), "null"),
		both("a backslash before u0000", `C:\\u0000`, `C:\\u0000`),
		both("NUL in a field: its escape can be stored", form{A: "a\x00b"}, `{"a":"a\u0000b","z":0}`),
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, back, err := tt.run()
			if err != nil {
				t.Fatal(err)
			}
			if text != tt.text {
				t.Errorf("text %s, want %s", text, tt.text)
			}
			if diff := cmp.Diff(tt.want, back); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCodecLosesQuotes pins what the family's form cannot keep.
func TestCodecLosesQuotes(t *testing.T) {
	t.Parallel()
	text, err := encode(`"quoted"`)
	if err != nil || text != `"quoted"` {
		t.Fatalf("%s, %v", text, err)
	}
	if back, err := decode[string](text); err != nil || back != "quoted" {
		t.Errorf("%s, %v", back, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := map[string]struct {
		encode func() (string, error)
		text   string
	}{
		"NUL":                       {func() (string, error) { return encode("a\x00b") }, "NUL"},
		"NUL in a named string":     {func() (string, error) { return encode(plain("a\x00b")) }, "NUL"},
		"invalid UTF-8":             {func() (string, error) { return encode("a\xffb") }, "UTF-8"},
		"invalid UTF-8, named":      {func() (string, error) { return encode(plain("a\xffb")) }, "UTF-8"},
		"invalid UTF-8 in raw JSON": {func() (string, error) { return encode(json.RawMessage("\"\xff\"")) }, "UTF-8"},
		"a channel":                 {func() (string, error) { return encode(make(chan int)) }, "encode chan int"},
		"not a number":              {func() (string, error) { return encode(math.NaN()) }, "encode float64"},
		"a broken marshaler":        {func() (string, error) { return encode(brokenJSON{}) }, "encode"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text, err := tt.encode(); err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q, %v; want an error about %s", text, err, tt.text)
			}
		})
	}
}

type brokenJSON struct{}

func (brokenJSON) MarshalJSON() ([]byte, error) { return []byte(`{`), nil }

func TestDecodeRefuses(t *testing.T) {
	tests := map[string]func() error{
		"text for a number":       func() error { _, err := decode[int]("seven"); return err },
		"a number for an object":  func() error { _, err := decode[form]("7"); return err },
		"another type of a field": func() error { _, err := decode[form](`{"z":"text"}`); return err },
		"nothing for a number":    func() error { _, err := decode[int](""); return err },
		"an object for a slice":   func() error { _, err := decode[[]int](`{}`); return err },
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := f(); err == nil || !strings.HasPrefix(err.Error(), "decode ") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestDecodeTolerates: what other versions of the code or other languages write.
func TestDecodeTolerates(t *testing.T) {
	t.Parallel()
	got, err := decode[form](`{"z":1,"unknown":{"x":[1]},"a":"x"}`)
	if diff := cmp.Diff(form{Z: 1, A: "x"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := decode[struct{}]("anything at all"); err != nil {
		t.Errorf("a unit: %v", err)
	}
	if v, err := decode[string](`"a\u0041"`); err != nil || v != "aA" {
		t.Errorf("a quoted string: %q, %v", v, err)
	}
}

// FuzzCodecString: a string comes back as it was, unless it is a JSON string.
func FuzzCodecString(f *testing.F) {
	for _, s := range []string{"", "x", "null", `"`, `"a"`, `\u0000`, `\\u0000`, "{}", "\x00", "\xff", "7", " 7 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := encode(s)
		if err != nil {
			return
		}
		back, err := decode[string](text)
		if err != nil {
			t.Fatal(err)
		}
		var unquoted string
		if strings.HasPrefix(s, `"`) && json.Unmarshal([]byte(s), &unquoted) == nil {
			if back != unquoted {
				t.Errorf("%q comes back as %q, want %q", s, back, unquoted)
			}
		} else if back != s {
			t.Errorf("%q comes back as %q", s, back)
		}
	})
}

// FuzzCodecValue: whatever JSON holds comes back, and its text is stable.
func FuzzCodecValue(f *testing.F) {
	for _, s := range []string{`{"b":[1,2.5,null],"a":{"y":"<","x":true}}`, `[]`, `7`, `"x"`, `null`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			return
		}
		text, err := encode(v)
		if err != nil {
			return
		}
		back, err := decode[any](text)
		if err != nil {
			t.Fatal(err)
		}
		if _, isString := v.(string); isString {
			return // FuzzCodecString
		}
		if !reflect.DeepEqual(v, back) {
			t.Errorf("%#v comes back as %#v", v, back)
		}
		again, err := encode(back)
		if err != nil || again != text {
			t.Errorf("%s encodes again as %s, %v", text, again, err)
		}
	})
}

func TestUnregisteredBackoff(t *testing.T) {
	t.Parallel()
	f := unregisteredBackoff(time.Second, time.Minute)
	var got []string
	for n := range uint32(10) {
		got = append(got, fmt.Sprint(f(n+1)))
	}
	if s := strings.Join(got, " "); s != "1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s 1m0s" {
		t.Errorf("back-off %s", s)
	}
	if d := f(0); d != time.Second {
		t.Errorf("attempt 0: %v", d)
	}
	if d := unregisteredBackoff(time.Second, time.Hour)(1000); d != 64*time.Second {
		t.Errorf("it doubles six times at most: %v", d)
	}
	if f := unregisteredBackoff(10*time.Millisecond, 25*time.Millisecond); f(1) != 10*time.Millisecond || f(2) != 20*time.Millisecond || f(3) != 25*time.Millisecond {
		t.Errorf("10 ms up to 25 ms: %v %v %v", f(1), f(2), f(3))
	}
}

func TestSystemActivityInputs(t *testing.T) {
	t.Parallel()
	text, err := encode(kvRead{InstanceID: "i", Key: "k"})
	if err != nil || text != `{"instance_id":"i","key":"k"}` {
		t.Errorf("%s, %v", text, err)
	}
}
