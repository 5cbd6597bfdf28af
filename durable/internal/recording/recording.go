package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/duroxide/duroxide-go/core"
)

// Format names the format and its version, in every header.
const Format = "duroxide-history/1"

// Execution is one recorded execution.
type Execution struct {
	Instance string
	ID       uint64
	// Redacted says that payloads are placeholders.
	Redacted bool
	// KV is what earlier executions left in the key-value store.
	KV map[string]core.KVEntry
	// Events begin with an OrchestrationStarted; their ids ascend.
	Events []core.Event
}

// Started returns the data of the first event.
func (e *Execution) Started() core.OrchestrationStarted {
	return e.Events[0].Data.(core.OrchestrationStarted) // check has seen it
}

// check says what is wrong with the events, nil for nothing.
func (e *Execution) check() error {
	if len(e.Events) == 0 {
		return errors.New("no events")
	}
	if _, ok := e.Events[0].Data.(core.OrchestrationStarted); !ok {
		return fmt.Errorf("the first event is %s, not OrchestrationStarted", e.Events[0].Data.EventType())
	}
	last := uint64(0)
	for _, ev := range e.Events {
		if ev.ID <= last {
			return fmt.Errorf("event %d after event %d: ids must ascend", ev.ID, last)
		}
		// Rust's runtimes of 0.1.29 and before record the failure of an
		// orchestration without the two.
		ownerless := ev.InstanceID == "" && ev.ExecutionID == 0
		if !ownerless && (ev.InstanceID != e.Instance || ev.ExecutionID != e.ID) {
			return fmt.Errorf("event %d belongs to instance %q, execution %d, not to %q, %d", ev.ID, ev.InstanceID, ev.ExecutionID, e.Instance, e.ID)
		}
		last = ev.ID
	}
	return nil
}

type header struct {
	Format     string           `json:"format"`
	Instance   string           `json:"instance_id"`
	Execution  uint64           `json:"execution_id"`
	Name       string           `json:"orchestration_name"`
	Version    string           `json:"orchestration_version"`
	Redacted   bool             `json:"redacted"`
	KV         map[string]entry `json:"kv"`
	EventCount int              `json:"event_count"`
}

type entry struct {
	Value         string `json:"value"`
	LastUpdatedAt uint64 `json:"last_updated_at_ms"`
}

// Write appends one execution.
func Write(w io.Writer, e *Execution) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("instance %s, execution %d: %w", e.Instance, e.ID, err)
	}
	started := e.Started()
	h := header{
		Format: Format, Instance: e.Instance, Execution: e.ID, Name: started.Name, Version: started.Version,
		Redacted: e.Redacted, KV: map[string]entry{}, EventCount: len(e.Events),
	}
	for k, v := range e.KV {
		h.KV[k] = entry{v.Value, v.LastUpdatedAtMs}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h); err != nil {
		return err
	}
	for _, ev := range e.Events {
		line, err := core.AppendEvent(b.AvailableBuffer(), ev)
		if err != nil {
			return err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Read reads all executions. Everything that does not fit the format is an
// error that names the line, also a file that ends in the middle or that holds
// nothing.
func Read(r io.Reader) ([]Execution, error) {
	in := &lineReader{r: bufio.NewReader(r)}
	var all []Execution
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			if len(all) == 0 {
				return nil, errors.New("the file is empty")
			}
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		e, err := readExecution(in, line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", in.number, err)
		}
		all = append(all, *e)
	}
}

// readExecution reads what follows a header.
func readExecution(in *lineReader, first []byte) (*Execution, error) {
	h, err := readHeader(first)
	if err != nil {
		return nil, err
	}
	e := &Execution{Instance: h.Instance, ID: h.Execution, Redacted: h.Redacted, KV: make(map[string]core.KVEntry, len(h.KV))}
	for k, v := range h.KV {
		e.KV[k] = core.KVEntry{Value: v.Value, LastUpdatedAtMs: v.LastUpdatedAt}
	}
	var dec core.EventDecoder
	for range h.EventCount {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the file ends after %d of %d events", len(e.Events), h.EventCount)
		}
		if err != nil {
			return nil, err
		}
		ev, err := dec.Decode(line)
		if err != nil {
			return nil, err
		}
		e.Events = append(e.Events, ev)
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	if s := e.Started(); s.Name != h.Name || s.Version != h.Version {
		return nil, fmt.Errorf("the header names %s %s, the first event %s %s", h.Name, h.Version, s.Name, s.Version)
	}
	return e, nil
}

func readHeader(line []byte) (*header, error) {
	var kind struct {
		Format *string `json:"format"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, fmt.Errorf("not a header of %s: %w", Format, err)
	}
	if kind.Format == nil || *kind.Format != Format {
		got := "the line has none"
		if kind.Format != nil {
			got = fmt.Sprintf("not %q", *kind.Format)
		}
		return nil, fmt.Errorf("the field format must be %q, %s", Format, got)
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var h header
	if err := dec.Decode(&h); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if h.EventCount < 1 {
		return nil, fmt.Errorf("header: the field event_count must be above zero, not %d", h.EventCount)
	}
	return &h, nil
}

// lineReader counts lines and skips empty ones.
type lineReader struct {
	r      *bufio.Reader
	number int
}

func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.r.ReadBytes('\n')
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return nil, err
		}
		l.number++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}
