package pgprovider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

var errNotAnArray = errors.New("not a JSON array")

// elements splits the text of a JSON array. It only finds the boundaries: the
// decoder of the elements checks them.
func elements(array []byte) ([][]byte, error) {
	array = bytes.TrimSpace(array)
	if len(array) < 2 || array[0] != '[' || array[len(array)-1] != ']' {
		return nil, errNotAnArray
	}
	body := bytes.TrimSpace(array[1 : len(array)-1])
	if len(body) == 0 {
		return nil, nil
	}
	var out [][]byte
	depth, start := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			end := stringEnd(body, i+1)
			if end < 0 {
				return nil, errNotAnArray
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, body[start:i])
				start = i + 1
			}
		}
	}
	return append(out, body[start:]), nil
}

// stringEnd returns the position of the quote that ends a string.
func stringEnd(b []byte, i int) int {
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		escapes := 0
		for k := end - 1; k >= i && b[k] == '\\'; k-- {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		i = end + 1
	}
}

// decodeArray decodes the elements of a JSON array, see decodeAll.
func decodeArray[T any](array []byte, what string, decode func([]byte) (T, error)) ([]T, error) {
	parts, err := elements(array)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return decodeAll(parts, what, decode)
}

// decodeAll returns what can be decoded, and the first error with its place.
func decodeAll[T any](parts [][]byte, what string, decode func([]byte) (T, error)) ([]T, error) {
	out := make([]T, 0, len(parts))
	var first error
	for i, part := range parts {
		v, err := decode(part)
		if err != nil {
			if first == nil {
				first = fmt.Errorf("%s %d: %w", what, i+1, err)
			}
			continue
		}
		out = append(out, v)
	}
	return out, first
}

// decodeEvents decodes the rows of a read, which fails as a whole.
func decodeEvents(rows []string) ([]core.Event, error) {
	events := make([]core.Event, len(rows))
	var decoder core.EventDecoder
	for i, row := range rows {
		e, err := decoder.Decode([]byte(row))
		if err != nil {
			return nil, fmt.Errorf("%w: event %d: %v", core.ErrUndecodable, i+1, err)
		}
		events[i] = e
	}
	return events, nil
}

// decodeSnapshot is strict: an entry that is left out would change what the
// orchestration's code reads.
func decodeSnapshot(object []byte) (map[string]core.KVEntry, error) {
	if bytes.Equal(object, []byte("{}")) {
		return map[string]core.KVEntry{}, nil
	}
	var raw map[string]*struct {
		Value         *string `json:"value"`
		LastUpdatedMs *uint64 `json:"last_updated_at_ms"`
	}
	if err := json.Unmarshal(object, &raw); err != nil {
		return nil, fmt.Errorf("key-value snapshot: %w", err)
	}
	snapshot := make(map[string]core.KVEntry, len(raw))
	for key, entry := range raw {
		if entry == nil || entry.Value == nil || entry.LastUpdatedMs == nil {
			return nil, fmt.Errorf("key-value snapshot: key %q is incomplete", key)
		}
		snapshot[key] = core.KVEntry{Value: *entry.Value, LastUpdatedAtMs: *entry.LastUpdatedMs}
	}
	return snapshot, nil
}
