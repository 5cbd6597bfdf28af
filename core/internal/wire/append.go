// Package wire holds the JSON primitives of package core: a writer that
// produces exactly the bytes that the family stores, and a strict scanner.
//
// encoding/json is not used for stored data because it escapes HTML, matches
// keys without regard to case, accepts repeated keys, replaces lone
// surrogates, and takes null for every field.
package wire

import "strconv"

// Writer appends compact JSON to Buf. Keys are written as they are and must
// not need escaping. The zero value is ready to use.
type Writer struct{ Buf []byte }

// Open begins an object that is a value of its own.
func (w *Writer) Open() { w.Buf = append(w.Buf, '{') }

// OpenField begins an object that is the value of key.
func (w *Writer) OpenField(key string) {
	w.Key(key)
	w.Buf = append(w.Buf, '{')
}

// Close ends the innermost object.
func (w *Writer) Close() { w.Buf = append(w.Buf, '}') }

// Key writes a key; its value has to follow.
func (w *Writer) Key(key string) {
	// No value ends in an opening brace, so it marks an object without members.
	if w.Buf[len(w.Buf)-1] != '{' {
		w.Buf = append(w.Buf, ',')
	}
	w.Buf = append(w.Buf, '"')
	w.Buf = append(w.Buf, key...)
	w.Buf = append(w.Buf, '"', ':')
}

// String writes a member that is a string.
func (w *Writer) String(key, value string) {
	w.Key(key)
	w.Buf = AppendString(w.Buf, value)
}

// Uint writes a member that is an unsigned integer.
func (w *Writer) Uint(key string, value uint64) {
	w.Key(key)
	w.Buf = strconv.AppendUint(w.Buf, value, 10)
}

// Bool writes a member that is a truth value.
func (w *Writer) Bool(key string, value bool) {
	w.Key(key)
	w.Buf = strconv.AppendBool(w.Buf, value)
}

// Null writes a member that is null.
func (w *Writer) Null(key string) {
	w.Key(key)
	w.Buf = append(w.Buf, "null"...)
}

// StringOrNull writes a string, or null for a nil value.
func (w *Writer) StringOrNull(key string, value *string) {
	if value == nil {
		w.Null(key)
		return
	}
	w.String(key, *value)
}

// UintOrNull writes an unsigned integer, or null for a nil value.
func (w *Writer) UintOrNull(key string, value *uint64) {
	if value == nil {
		w.Null(key)
		return
	}
	w.Uint(key, *value)
}

// StringOrSkip writes a string, or nothing for a nil value.
func (w *Writer) StringOrSkip(key string, value *string) {
	if value != nil {
		w.String(key, *value)
	}
}

// UintOrSkip writes an unsigned integer, or nothing for a nil value.
func (w *Writer) UintOrSkip(key string, value *uint64) {
	if value != nil {
		w.Uint(key, *value)
	}
}

// AppendString appends s as a JSON string. Only the quote, the backslash and
// the controls below U+0020 are escaped.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		if plain[s[i]] {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, s[i])
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// plain holds which bytes stand in a JSON string as they are. Payloads are
// mostly JSON, full of quotes, and then one look at each byte is a third
// faster than looking at eight at a time, as the scanner does.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}
