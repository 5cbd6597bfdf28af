package core_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// golden reads a file of samples that the Rust crate wrote.
func golden[T any](t testing.TB, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// wantCount fails when a file has lost or gained samples.
func wantCount[T any](t *testing.T, samples []T, want int) {
	t.Helper()
	if len(samples) != want {
		t.Fatalf("%d samples, want %d", len(samples), want)
	}
}

// sample is one stored text.
type sample struct{ Name, JSON string }

// codec is one of the three pairs of functions under test.
type codec struct {
	decode func([]byte) (any, error)
	encode func(any) ([]byte, error)
}

var (
	events = codec{
		func(data []byte) (any, error) { return core.DecodeEvent(data) },
		func(v any) ([]byte, error) { return core.EncodeEvent(v.(core.Event)) },
	}
	workItems = codec{
		func(data []byte) (any, error) { return core.DecodeWorkItem(data) },
		func(v any) ([]byte, error) { return core.EncodeWorkItem(v.(core.WorkItem)) },
	}
	errorDetails = codec{
		func(data []byte) (any, error) { return core.DecodeErrorDetails(data) },
		func(v any) ([]byte, error) { return core.EncodeErrorDetails(v.(core.ErrorDetails)) },
	}
	systemStats = codec{
		func(data []byte) (any, error) {
			var s core.SystemStats
			err := json.Unmarshal(data, &s)
			return s, err
		},
		json.Marshal,
	}
)

// roundTrip decodes text, and checks that the value is written as want and
// decoded from that again.
func (c codec) roundTrip(t *testing.T, text, want string) any {
	t.Helper()
	input := []byte(text)
	v, err := c.decode(input)
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	clear(input) // the value must not share memory with it
	written, err := c.encode(v)
	if err != nil {
		t.Fatalf("encode %#v: %v", v, err)
	}
	if string(written) != want {
		t.Fatalf("bytes differ\n got %s\nwant %s", written, want)
	}
	again, err := c.decode(written)
	if err != nil {
		t.Fatalf("decode %s: %v", written, err)
	}
	if !reflect.DeepEqual(again, v) {
		t.Fatalf("decoded again\n got %#v\nwant %#v", again, v)
	}
	return v
}

func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	samples := golden[[]sample](t, "events.json")
	wantCount(t, samples, 84)
	seen := map[string]bool{}
	for _, s := range samples {
		if e, err := core.DecodeEvent([]byte(s.JSON)); err == nil {
			seen[e.Data.EventType()] = true
		}
		t.Run(s.Name, func(t *testing.T) { events.roundTrip(t, s.JSON, s.JSON) })
	}
	if len(seen) != 26 {
		t.Errorf("the samples cover %d kinds of events, want 26: %v", len(seen), seen)
	}
}

func TestGoldenWorkItems(t *testing.T) {
	t.Parallel()
	samples := golden[[]sample](t, "work_items.json")
	wantCount(t, samples, 51)
	seen := map[string]bool{}
	for _, s := range samples {
		if item, err := core.DecodeWorkItem([]byte(s.JSON)); err == nil {
			seen[item.ItemType()] = true
		}
		t.Run(s.Name, func(t *testing.T) { workItems.roundTrip(t, s.JSON, s.JSON) })
	}
	if len(seen) != 11 {
		t.Errorf("the samples cover %d kinds of work items, want 11: %v", len(seen), seen)
	}
}

func TestGoldenDecodeProbes(t *testing.T) {
	t.Parallel()
	probes := golden[[]struct {
		Name, Type, Input string
		OK                bool
		Reserialized      string
	}](t, "decode_probes.json")
	wantCount(t, probes, 74)
	codecs := map[string]codec{"Event": events, "WorkItem": workItems, "ErrorDetails": errorDetails, "SystemStats": systemStats}
	for _, p := range probes {
		t.Run(p.Type+"/"+p.Name, func(t *testing.T) {
			c := codecs[p.Type]
			if p.OK {
				c.roundTrip(t, p.Input, p.Reserialized)
				return
			}
			v, err := c.decode([]byte(p.Input))
			if err == nil {
				t.Fatalf("%s was accepted as %#v", p.Input, v)
			}
			if !errors.Is(err, core.ErrUndecodable) && json.Valid([]byte(p.Input)) {
				t.Errorf("%v is not ErrUndecodable", err)
			}
		})
	}
}

func TestGoldenFeatureGatedKindsAreRefused(t *testing.T) {
	t.Parallel()
	samples := golden[[]sample](t, "feature_gated_replay_version_test.json")
	wantCount(t, samples, 3)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			for kind, c := range map[string]codec{"event": events, "work item": workItems} {
				if _, err := c.decode([]byte(s.JSON)); !errors.Is(err, core.ErrUndecodable) {
					t.Errorf("as %s: %v, want ErrUndecodable", kind, err)
				}
			}
		})
	}
}

func TestGoldenErrors(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		sample
		Category  string
		Retryable bool
		Display   string `json:"display_message"`
	}](t, "errors.json")
	wantCount(t, samples, 15)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			d := errorDetails.roundTrip(t, s.JSON, s.JSON).(core.ErrorDetails)
			if d.Category() != s.Category || d.IsRetryable() != s.Retryable || d.Error() != s.Display {
				t.Errorf("got %q, %v, %q\nwant %q, %v, %q", d.Category(), d.IsRetryable(), d.Error(), s.Category, s.Retryable, s.Display)
			}
		})
	}
}

func TestGoldenErrorEnums(t *testing.T) {
	t.Parallel()
	samples := golden[[]sample](t, "error_enums.json")
	wantCount(t, samples, 8)
	wrappers := map[string]string{ // the enumerations are stored inside errors only
		"AppErrorKind":      `{"Application":{"kind":%s,"message":"m","retryable":true}}`,
		"ConfigErrorKind":   `{"Configuration":{"kind":%s,"resource":"r","message":null}}`,
		"PoisonMessageType": `{"Poison":{"attempt_count":1,"max_attempts":2,"message_type":%s,"message":"m"}}`,
	}
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			enum, _, _ := strings.Cut(s.Name, "_")
			text := fmt.Sprintf(wrappers[enum], s.JSON)
			errorDetails.roundTrip(t, text, text)
		})
	}
}

func TestGoldenSystemStats(t *testing.T) {
	t.Parallel()
	samples := golden[[]sample](t, "system_stats.json")
	wantCount(t, samples, 3)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) { systemStats.roundTrip(t, s.JSON, s.JSON) })
	}
}

func TestGoldenProviderErrors(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		Name, Operation, Message, Display string
		Retryable                         bool
		Details                           string `json:"as_error_details_json"`
		DetailsDisplay                    string `json:"infrastructure_display_message"`
	}](t, "provider_errors.json")
	wantCount(t, samples, 4)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			err := &core.ProviderError{Op: s.Operation, Retryable: s.Retryable, Err: errors.New(s.Message)}
			if err.Error() != s.Display {
				t.Errorf("text %q, want %q", err.Error(), s.Display)
			}
			if got := err.Details().Error(); got != s.DetailsDisplay {
				t.Errorf("display text %q, want %q", got, s.DetailsDisplay)
			}
			if got, encodeErr := core.EncodeErrorDetails(err.Details()); encodeErr != nil || string(got) != s.Details {
				t.Errorf("details %s, %v\nwant %s", got, encodeErr, s.Details)
			}
		})
	}
}

func TestGoldenTagFilter(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		Name, Filter string
		Matches      bool
		Tag          *string
	}](t, "tag_filter_matches.json")
	wantCount(t, samples, 42)
	filters := map[string]core.TagFilter{
		"DefaultOnly":          {},
		"Tags[gpu]":            {Mode: core.TagsOnly, Tags: []string{"gpu"}},
		"Tags[gpu,cpu]":        {Mode: core.TagsOnly, Tags: []string{"gpu", "cpu"}},
		"Tags[<empty string>]": {Mode: core.TagsOnly, Tags: []string{""}},
		"DefaultAnd[gpu]":      {Mode: core.TagsDefaultAnd, Tags: []string{"gpu"}},
		"Any":                  {Mode: core.TagsAny},
		"None":                 {Mode: core.TagsNone},
	}
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			f, ok := filters[s.Filter]
			if !ok {
				t.Fatalf("unknown filter %q", s.Filter)
			}
			if err := f.Validate(); err != nil {
				t.Error(err)
			}
			if got := f.Matches(s.Tag); got != s.Matches {
				t.Errorf("matches %v, want %v", got, s.Matches)
			}
		})
	}
}

func TestGoldenVersionRange(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		Name, Min, Max, Version string
		Packed                  uint64
		Full                    bool `json:"contains_full_semver"`
		PackedContains          bool `json:"contains_packed_integer"`
	}](t, "semver_range.json")
	wantCount(t, samples, 70)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			v := core.MustParseVersion(s.Version)
			r := core.VersionRange{Min: core.MustParseVersion(s.Min), Max: core.MustParseVersion(s.Max)}
			if got := r.Contains(v); got != s.Full {
				t.Errorf("contains in full order: %v, want %v", got, s.Full)
			}
			if v.Packed() != s.Packed {
				t.Errorf("packed %d, want %d", v.Packed(), s.Packed)
			}
			if got := r.Min.Packed() <= v.Packed() && v.Packed() <= r.Max.Packed(); got != s.PackedContains {
				t.Errorf("contains packed: %v, want %v", got, s.PackedContains)
			}
			if v.String() != s.Version {
				t.Errorf("text %q, want %q", v, s.Version)
			}
		})
	}
}

func TestGoldenCapabilityFilter(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		Name, Version, Min, Max string
		Current                 string `json:"current_build_version"`
		Ranges                  [][2]string
		Compatible              bool `json:"is_compatible"`
	}](t, "capability_filter.json")
	wantCount(t, samples, 15)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if s.Name == "default_for_current_build" {
				want := core.VersionRange{Min: core.MustParseVersion(s.Min), Max: core.MustParseVersion(s.Max)}
				got := core.UpTo(core.MustParseVersion(s.Current)).SupportedVersions
				if len(got) != 1 || got[0] != want {
					t.Errorf("got %v, want the one range %v", got, want)
				}
				return
			}
			var f core.CapabilityFilter
			for _, r := range s.Ranges {
				f.SupportedVersions = append(f.SupportedVersions,
					core.VersionRange{Min: core.MustParseVersion(r[0]), Max: core.MustParseVersion(r[1])})
			}
			if got := f.Supports(core.MustParseVersion(s.Version)); got != s.Compatible {
				t.Errorf("supports: %v, want %v", got, s.Compatible)
			}
		})
	}
}

func TestGoldenBackoff(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		Name  string
		Nanos []time.Duration `json:"attempts_0_to_20_nanos"`
		N1000 time.Duration   `json:"attempt_1000_nanos"`
		NMax  time.Duration   `json:"attempt_u32max_nanos"`
	}](t, "backoff.json")
	wantCount(t, samples, 5)
	policies := map[string]core.Backoff{
		"None":                                 core.NoBackoff(),
		"Fixed_1s":                             core.FixedBackoff(time.Second),
		"Linear_200ms_max_1s":                  core.LinearBackoff(200*time.Millisecond, time.Second),
		"Exponential_default_100ms_x2_max_30s": core.DefaultBackoff(),
		"Exponential_100ms_x1.5_max_10s":       core.ExponentialBackoff(100*time.Millisecond, 1.5, 10*time.Second),
	}
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			b, ok := policies[s.Name]
			if !ok {
				t.Fatal("unknown policy")
			}
			wantCount(t, s.Nanos, 21)
			want := map[uint32]time.Duration{1000: s.N1000, math.MaxUint32: s.NMax}
			for i, d := range s.Nanos {
				want[uint32(i)] = d
			}
			for attempt, d := range want {
				if got := b.Delay(attempt); got != d {
					t.Errorf("attempt %d: %v, want %v", attempt, got, d)
				}
			}
		})
	}
}

func TestGoldenChildInstanceIDs(t *testing.T) {
	t.Parallel()
	samples := golden[[]struct {
		Name, Parent, Child, Full string
		Auto                      bool `json:"is_auto"`
	}](t, "child_instance_ids.json")
	wantCount(t, samples, 8)
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if got := core.IsAutoChildID(s.Child); got != s.Auto {
				t.Errorf("generated: %v, want %v", got, s.Auto)
			}
			if got := core.ChildInstanceID(s.Parent, s.Child); got != s.Full {
				t.Errorf("id %q, want %q", got, s.Full)
			}
		})
	}
}

// TestGoldenHistories decodes and writes again every event, work item and
// error of the recorded runs.
func TestGoldenHistories(t *testing.T) {
	t.Parallel()
	type instance struct {
		Status struct {
			Details json.RawMessage
			Display string `json:"display_message"`
		} `json:"client_status"`
		Executions []struct{ Events []json.RawMessage }
	}
	type history struct {
		instance
		Related []instance `json:"related_instances"`
		Turns   []struct {
			Fetched struct{ Messages []json.RawMessage }
			Ack     struct {
				Delta        []json.RawMessage `json:"history_delta"`
				Worker       []json.RawMessage `json:"worker_items"`
				Orchestrator []json.RawMessage `json:"orchestrator_items"`
			}
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "histories", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	wantCount(t, files, 53)

	histories := map[string]history{}
	var stored, delta, messages, worker, orchestrator, failures int
	for _, file := range files {
		h := golden[history](t, filepath.Join("histories", filepath.Base(file)))
		histories[strings.TrimSuffix(filepath.Base(file), ".json")] = h
		for _, i := range append([]instance{h.instance}, h.Related...) {
			for _, e := range i.Executions {
				stored += len(e.Events)
			}
			if i.Status.Details != nil {
				failures++
			}
		}
		for _, turn := range h.Turns {
			delta += len(turn.Ack.Delta)
			messages += len(turn.Fetched.Messages)
			worker += len(turn.Ack.Worker)
			orchestrator += len(turn.Ack.Orchestrator)
		}
	}
	got, want := [...]int{stored, delta, messages, worker, orchestrator, failures}, [...]int{364, 364, 161, 63, 37, 13}
	if got != want {
		t.Errorf("stored events, deltas, messages, worker items, orchestrator items, errors: %v, want %v", got, want)
	}

	for name, h := range histories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := func(c codec, raws ...json.RawMessage) {
				t.Helper()
				for _, raw := range raws {
					var b bytes.Buffer
					if err := json.Compact(&b, raw); err != nil { // keeps order and escapes
						t.Fatal(err)
					}
					c.roundTrip(t, b.String(), b.String())
				}
			}
			for _, i := range append([]instance{h.instance}, h.Related...) {
				for _, e := range i.Executions {
					check(events, e.Events...)
				}
				if i.Status.Details == nil {
					continue
				}
				check(errorDetails, i.Status.Details)
				if d, err := core.DecodeErrorDetails(i.Status.Details); err != nil || d.Error() != i.Status.Display {
					t.Errorf("display text %q, %v, want %q", d, err, i.Status.Display)
				}
			}
			for _, turn := range h.Turns {
				check(events, turn.Ack.Delta...)
				check(workItems, turn.Fetched.Messages...)
				check(workItems, turn.Ack.Worker...)
				check(workItems, turn.Ack.Orchestrator...)
			}
		})
	}
}
