package core_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/duroxide/duroxide-go/core"
)

// benchEvent is an ordinary event: an activity whose input is JSON.
func benchEvent() core.Event {
	return core.Event{
		ID:              7,
		InstanceID:      "order-01J9ZK3V7Q8M",
		ExecutionID:     1,
		TimestampMs:     1700000000123,
		DuroxideVersion: "0.1.32",
		Data: core.ActivityScheduled{
			Name:  "charge",
			Input: `{"order":"01J9ZK3V7Q8M","amount_cents":129900,"currency":"EUR","customer":{"id":"c-4711","country":"DE"}}`,
		},
	}
}

// plainEvent is the same event as encoding/json would be used for it.
type plainEvent struct {
	ID              uint64  `json:"event_id"`
	SourceID        *uint64 `json:"source_event_id"`
	InstanceID      string  `json:"instance_id"`
	ExecutionID     uint64  `json:"execution_id"`
	TimestampMs     uint64  `json:"timestamp_ms"`
	DuroxideVersion string  `json:"duroxide_version"`
	Type            string  `json:"type"`
	Name            string  `json:"name"`
	Input           string  `json:"input"`
	SessionID       *string `json:"session_id,omitempty"`
	Tag             *string `json:"tag,omitempty"`
}

func BenchmarkEncodeEvent(b *testing.B) {
	e := benchEvent()
	b.Run("core", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			var err error
			if buf, err = core.AppendEvent(buf[:0], e); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("core-new-buffer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			data, err := core.EncodeEvent(e)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		s := e.Data.(core.ActivityScheduled)
		p := plainEvent{e.ID, nil, e.InstanceID, e.ExecutionID, e.TimestampMs, e.DuroxideVersion, s.EventType(), s.Name, s.Input, nil, nil}
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		for b.Loop() {
			buf.Reset()
			if err := enc.Encode(&p); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(buf.Len()))
	})
}

func BenchmarkDecodeEvent(b *testing.B) {
	data, err := core.EncodeEvent(benchEvent())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("core", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := core.DecodeEvent(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("core-history", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		var d core.EventDecoder
		for b.Loop() {
			if _, err := d.Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			var p plainEvent
			if err := json.Unmarshal(data, &p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWorkItem(b *testing.B) {
	item := core.ActivityExecuteItem{Instance: "order-01J9ZK3V7Q8M", ExecutionID: 1, ID: 7, Name: "charge", Input: benchEvent().Data.(core.ActivityScheduled).Input}
	data, err := core.EncodeWorkItem(item)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			if buf, err = core.AppendWorkItem(buf[:0], item); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := core.DecodeWorkItem(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
