package durable

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// encode puts a value into the family's text form (runtime 1.22): JSON, except
// that a string travels raw, without quotes. Object keys are sorted, so that
// the text does not depend on the order of struct fields or on the language.
func encode[T any](v T) (string, error) {
	switch v := any(v).(type) {
	case string:
		return checkText(v)
	case struct{}:
		return "null", nil
	case json.RawMessage:
		return checkText(string(v))
	}
	if isPlainString(reflect.TypeOf(v)) {
		return checkText(reflect.ValueOf(v).String())
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(text) == 0 {
		return "", nil
	}
	switch text[0] {
	case '"':
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return "", fmt.Errorf("encode %T: %w", v, err)
		}
		return checkText(s)
	case '{', '[':
		if bytes.IndexByte(text, '{') < 0 {
			break
		}
		sorted, err := sortKeys(text)
		if err != nil {
			return "", fmt.Errorf("encode %T: %w", v, err)
		}
		return checkText(sorted)
	}
	return checkText(string(text))
}

// checkText refuses what no store of the family can hold.
func checkText(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("encode: the text is not valid UTF-8")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", fmt.Errorf("encode: the text holds a NUL character, which the store cannot keep")
	}
	return s, nil
}

// sortKeys re-writes JSON text with sorted object keys and numbers as they are.
func sortKeys(text []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", err
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // maps are written with sorted keys
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// isPlainString reports whether a type is a string without a text form of its
// own.
func isPlainString(t reflect.Type) bool {
	if t == nil || t.Kind() != reflect.String {
		return false
	}
	ptr := reflect.PointerTo(t)
	return !ptr.Implements(reflect.TypeFor[json.Marshaler]()) && !ptr.Implements(reflect.TypeFor[encoding.TextMarshaler]()) &&
		!ptr.Implements(reflect.TypeFor[json.Unmarshaler]()) && !ptr.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// decode reads a value from the family's text form: as JSON of the type, or
// else as the raw text of a string.
func decode[T any](text string) (T, error) {
	var v T
	switch p := any(&v).(type) {
	case *struct{}:
		return v, nil
	case *json.RawMessage:
		*p = json.RawMessage(text)
		return v, nil
	}
	if isPlainString(reflect.TypeFor[T]()) && (text == "" || text[0] != '"') {
		// Everything but a JSON string is the text itself, "null" included.
		reflect.ValueOf(&v).Elem().SetString(text)
		return v, nil
	}
	err := json.Unmarshal([]byte(text), &v)
	if err == nil {
		return v, nil
	}
	quoted, qerr := json.Marshal(text)
	if qerr != nil {
		return v, fmt.Errorf("decode %T: %w", v, err)
	}
	var raw T
	if json.Unmarshal(quoted, &raw) == nil {
		return raw, nil
	}
	return v, fmt.Errorf("decode %T: %w", v, err)
}
