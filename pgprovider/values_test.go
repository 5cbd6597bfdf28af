package pgprovider

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
)

func TestPackedVersions(t *testing.T) {
	t.Parallel()
	v := func(major, minor, patch uint64) core.Version {
		return core.Version{Major: major, Minor: minor, Patch: patch}
	}
	for _, tt := range []struct {
		version  core.Version
		min, max int64
	}{
		{v(0, 0, 0), 0, 0},
		{v(0, 1, 32), 1032, 1032},
		{core.MustParseVersion("1.2.3-rc.1+b"), 1002003, 1002003},
		{v(1, 2, 999), 1002999, 1002999},
		{v(1, 2, 1000), 1003000, 1002999},
		{v(1, 999, 1000), 2000000, 1999999},
		{v(1, 1000, 0), 2000000, 1999999},
		{v(2147, 999, 999), 2147999999, 2147999999},
		{v(2148, 0, 0), 2148000000, 2147999999},
		{v(math.MaxUint64, math.MaxUint64, math.MaxUint64), 2148000000, 2147999999},
	} {
		if got := packMin(tt.version); got != tt.min {
			t.Errorf("packMin(%v) = %d, want %d", tt.version, got, tt.min)
		}
		if got := packMax(tt.version); got != tt.max {
			t.Errorf("packMax(%v) = %d, want %d", tt.version, got, tt.max)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{
		-1: 0, 0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, math.MaxInt64: 9223372036855,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%d ns are %d ms, want %d", d, got, want)
		}
	}
}

func TestVisibleAt(t *testing.T) {
	t.Parallel()
	timer := func(at uint64) core.WorkItem { return core.TimerFiredItem{FireAtMs: at} }
	for _, tt := range []struct {
		item       core.WorkItem
		delay, vis int64
	}{
		{core.ExternalRaisedItem{}, 0, 1000},
		{core.ExternalRaisedItem{}, 5, 1005},
		{timer(0), 5, 1005},
		{timer(900), 0, 1000},
		{timer(2000), 5, 2000},
		{timer(2000), 5000, 6000},
		{timer(math.MaxUint64), 0, maxTimestampMs},
	} {
		if got := visibleAt(tt.item, 1000, tt.delay); got != tt.vis {
			t.Errorf("%v delayed by %d: %d, want %d", tt.item, tt.delay, got, tt.vis)
		}
	}
}

func TestCheckEncoded(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	for _, tt := range []struct {
		item  core.WorkItem
		field string // of the complaint, empty for none
	}{
		{core.ExternalRaisedItem{Instance: "i", Name: "n", Data: `ok \u0000 \ud800 "` + "\x01\ufffd"}, ""},
		{core.ExternalRaisedItem{Instance: "i", Name: "n", Data: "a\x00"}, "Item.ExternalRaised.Data holds U+0000 at byte 1"},
		{core.ExternalRaisedItem{Instance: "i\x00"}, "Item.ExternalRaised.Instance holds U+0000"},
		{core.ExternalRaisedItem{Instance: "i", Name: "\xff"}, "Item.ExternalRaised.Name is not valid UTF-8"},
		{core.StartOrchestrationItem{Version: text("\x00")}, "Item.StartOrchestration.Version holds"},
		{core.ContinueAsNewItem{CarryForwardEvents: []core.QueueEvent{{}, {Data: "\x00"}}}, "Item.ContinueAsNew.CarryForwardEvents[1].Data holds"},
		{core.ActivityFailedItem{Details: core.ApplicationError{Kind: core.KindCancelled("\x00")}}, "Item.ActivityFailed.Details.Kind.Reason holds"},
		{
			core.ActivityFailedItem{Details: core.PoisonError{MessageType: core.PoisonUndecodable{Error: "\x00"}}},
			"Item.ActivityFailed.Details.MessageType.Error holds",
		},
	} {
		_, err := encodeItem("Item", tt.item)
		switch {
		case tt.field == "" && err != nil:
			t.Errorf("%+v: %v", tt.item, err)
		case tt.field != "" && (!errors.Is(err, core.ErrInvalidArgument) || !strings.Contains(err.Error(), tt.field)):
			t.Errorf("%+v: %v, want %s", tt.item, err, tt.field)
		}
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{`[]`, nil},
		{` [ ] `, nil},
		{`[1]`, []string{`1`}},
		{`[{"a": [1, 2]}, "x,]\\", {"b": "\"}"}, "\\\"", []]`,
			[]string{`{"a": [1, 2]}`, ` "x,]\\"`, ` {"b": "\"}"}`, ` "\\\""`, ` []`}},
	} {
		got, err := elements([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
		}
		var texts []string
		for _, e := range got {
			texts = append(texts, string(e))
		}
		if diff := cmp.Diff(tt.want, texts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
	for _, in := range []string{``, `[`, `{}`, `null`, `["]`, `["\"]`} {
		if got, err := elements([]byte(in)); err == nil {
			t.Errorf("%s: %q", in, got)
		}
	}
}

// FuzzElements compares with the standard library on every valid array.
func FuzzElements(f *testing.F) {
	for _, seed := range []string{`[]`, `[1, "a\\", {"b": [",", "]"]}]`, `[[],{},"\"\\"]`, `["`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := elements(in) // never panics
		var want []json.RawMessage
		if json.Unmarshal(in, &want) != nil || want == nil {
			return
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d elements, %v, want %d", in, len(got), err, len(want))
		}
		for i := range got {
			if strings.TrimSpace(string(got[i])) != string(want[i]) {
				t.Errorf("%q: element %d is %q, want %q", in, i, got[i], want[i])
			}
		}
	})
}

func TestDecodeSnapshot(t *testing.T) {
	t.Parallel()
	got, err := decodeSnapshot([]byte(`{"k": {"value": "v", "last_updated_at_ms": 5}, "": {"value": "", "last_updated_at_ms": 0}}`))
	if diff := cmp.Diff(map[string]core.KVEntry{"k": {Value: "v", LastUpdatedAtMs: 5}, "": {}}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, in := range []string{
		``, `[]`, `{"k": null}`, `{"k": {"value": "v"}}`, `{"k": {"last_updated_at_ms": 1}}`,
		`{"k": {"value": 1, "last_updated_at_ms": 1}}`, `{"k": {"value": "v", "last_updated_at_ms": -1}}`,
	} {
		if got, err := decodeSnapshot([]byte(in)); err == nil {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestEncodedArraysAreNeverNull(t *testing.T) {
	t.Parallel()
	items, err1 := encodeItems("f", nil)
	events, err2 := encodeEvents("f", nil)
	cancelled, err3 := encodeCancelled(nil)
	meta, err4 := encodeMetadata(core.ExecutionMetadata{}, nil)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"[]", "[]", "[]", "{}"}, []string{items, events, cancelled, meta}); diff != "" {
		t.Error(diff)
	}
}
