package core_test

import (
	"reflect"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

// fuzzCodec checks that nothing panics, and that what is decoded survives being
// written and decoded again, and is then written as before.
func fuzzCodec(f *testing.F, c codec, typ, file string) {
	for _, s := range golden[[]sample](f, file) {
		f.Add([]byte(s.JSON))
	}
	for _, p := range golden[[]struct{ Type, Input string }](f, "decode_probes.json") {
		if p.Type == typ {
			f.Add([]byte(p.Input))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := c.decode(data)
		if err != nil {
			return
		}
		written, err := c.encode(v)
		if err != nil {
			t.Fatalf("%q was decoded to %#v, which cannot be written: %v", data, v, err)
		}
		again, err := c.decode(written)
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%q was decoded to\n%#v, then\n%#v, %v", data, v, again, err)
		}
		rewritten, err := c.encode(again)
		if err != nil || string(rewritten) != string(written) {
			t.Fatalf("%q was written as\n%s, then\n%s, %v", data, written, rewritten, err)
		}
	})
}

func FuzzDecodeEvent(f *testing.F)        { fuzzCodec(f, events, "Event", "events.json") }
func FuzzDecodeWorkItem(f *testing.F)     { fuzzCodec(f, workItems, "WorkItem", "work_items.json") }
func FuzzDecodeErrorDetails(f *testing.F) { fuzzCodec(f, errorDetails, "ErrorDetails", "errors.json") }

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"0.0.0", "1.2.3", "1.2.3-rc.1+build.007", "1.0.0--", "18446744073709551615.0.0", "01.0.0", "1.0.0-01", "1.0", "", "1.0.0+", "v1.0.0"} {
		f.Add(s, "1.0.0-alpha.1")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		v, err := core.ParseVersion(s)
		if err != nil {
			if v != (core.Version{}) {
				t.Fatalf("%q: %v with an error", s, v)
			}
			return
		}
		if v.String() != s {
			t.Fatalf("%q is written as %q", s, v)
		}
		if v.Compare(v) != 0 {
			t.Fatalf("%q differs from itself", s)
		}
		o, err := core.ParseVersion(other)
		if err != nil {
			return
		}
		if v.Compare(o) != -o.Compare(v) || (v.Compare(o) == 0) != (v == o) {
			t.Fatalf("%q and %q: %d and %d", s, other, v.Compare(o), o.Compare(v))
		}
	})
}
