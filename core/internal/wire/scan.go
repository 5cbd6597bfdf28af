package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may be nested; the JSON library of
// the family's other members accepts the same.
const MaxDepth = 127

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds; Absent is a member that is not there.
const (
	Absent Kind = iota
	Null
	False
	True
	Number
	String
	Array
	Object
)

// String returns the kind in words.
func (k Kind) String() string {
	return [...]string{"nothing", "null", "a truth value", "a truth value", "a number", "a string", "an array", "an object"}[k]
}

// Value says what a value is and where it lies in the scanned text. The zero
// value is absent.
type Value struct {
	start, end uint32 // of a string: without the quotes
	Kind       Kind
	escaped    bool
	// Repeated reports whether its key occurred more than once.
	Repeated bool
}

// SyntaxError is text that is not the JSON that is wanted.
type SyntaxError struct {
	// Offset is the byte at which the rule is broken.
	Offset int
	Rule   string
}

// Error returns the rule and the place.
func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Rule) }

// Scanner walks through JSON text once. It never changes or keeps the text.
type Scanner struct {
	data  []byte
	pos   int
	depth int
}

// Reset begins with data, whose UTF-8 it checks.
func (s *Scanner) Reset(data []byte) error {
	*s = Scanner{data: data}
	if len(data) > math.MaxUint32 {
		return &SyntaxError{0, "text is longer than 4 GiB"}
	}
	if !utf8.Valid(data) {
		return &SyntaxError{invalidAt(data), "invalid UTF-8"}
	}
	return nil
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

// Sub returns a scanner for a value that was already scanned.
func (s *Scanner) Sub(v Value) Scanner {
	if v.Kind == String {
		v.start, v.end = v.start-1, v.end+1
	}
	return Scanner{data: s.data[:v.end], pos: int(v.start)}
}

// Peek returns the next byte that is not white space, 0 at the end.
func (s *Scanner) Peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// End checks that nothing but white space is left.
func (s *Scanner) End() error {
	if s.Peek(); s.pos < len(s.data) {
		return s.errorf("unexpected text after the value")
	}
	return nil
}

// Expect takes the delimiter c.
func (s *Scanner) Expect(c byte) error {
	if s.Peek() != c || s.pos >= len(s.data) {
		return s.unexpected("'" + string(rune(c)) + "'")
	}
	s.pos++
	return nil
}

// Key takes a key and the colon behind it.
func (s *Scanner) Key() (Value, error) {
	if s.Peek() != '"' {
		return Value{}, s.unexpected("a key")
	}
	key, err := s.string()
	if err != nil {
		return Value{}, err
	}
	return key, s.Expect(':')
}

// Object takes an object. A member whose key lookup maps to an index of slots
// is left there; others are checked and skipped, for which lookup returns a
// negative number.
func (s *Scanner) Object(slots []Value, lookup func(key []byte) int) error {
	if err := s.enter('{'); err != nil {
		return err
	}
	if s.Peek() == '}' {
		return s.leave()
	}
	for {
		key, err := s.Key()
		if err != nil {
			return err
		}
		v, err := s.Value()
		if err != nil {
			return err
		}
		if i := lookup(s.Bytes(key)); i >= 0 {
			v.Repeated = slots[i].Kind != Absent
			slots[i] = v
		}
		switch s.Peek() {
		case ',':
			s.pos++
		case '}':
			return s.leave()
		default:
			return s.unexpected("',' or '}'")
		}
	}
}

// Value takes one value of any kind and checks it throughout.
func (s *Scanner) Value() (Value, error) {
	switch c := s.Peek(); {
	case c == '"':
		return s.string()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 'n':
		return s.word("null", Null)
	case c == 't':
		return s.word("true", True)
	case c == 'f':
		return s.word("false", False)
	case c == '{':
		start := s.pos
		err := s.Object(nil, func([]byte) int { return -1 })
		return Value{start: uint32(start), end: uint32(s.pos), Kind: Object}, err
	case c == '[':
		start := s.pos
		err := s.array()
		return Value{start: uint32(start), end: uint32(s.pos), Kind: Array}, err
	}
	return Value{}, s.unexpected("a value")
}

func (s *Scanner) array() error {
	if err := s.enter('['); err != nil {
		return err
	}
	if s.Peek() == ']' {
		return s.leave()
	}
	for {
		if _, err := s.Value(); err != nil {
			return err
		}
		switch s.Peek() {
		case ',':
			s.pos++
		case ']':
			return s.leave()
		default:
			return s.unexpected("',' or ']'")
		}
	}
}

// Elements returns the elements of an array that was already scanned.
func (s *Scanner) Elements(array Value) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		sub := s.Sub(array)
		sub.pos++
		for sub.Peek() != ']' {
			v, err := sub.Value()
			if err != nil || !yield(v) {
				return
			}
			if sub.Peek() == ',' {
				sub.pos++
			}
		}
	}
}

// Uint returns the value as an unsigned integer of that many bits; false when
// it is anything else, a number with a sign, fraction or exponent included.
func (s *Scanner) Uint(v Value, bitSize int) (uint64, bool) {
	if v.Kind != Number {
		return 0, false
	}
	limit := uint64(math.MaxUint64) >> (64 - bitSize)
	var n uint64
	for _, c := range s.data[v.start:v.end] {
		d := uint64(c - '0')
		if d > 9 || n > limit/10 || n*10 > limit-d {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// Bytes returns the text of a string value. It aliases the scanned text unless
// there are escapes in it.
func (s *Scanner) Bytes(v Value) []byte {
	if v.escaped {
		return []byte(s.Text(v))
	}
	return s.data[v.start:v.end]
}

// Text returns a copy of the text of a string value.
func (s *Scanner) Text(v Value) string {
	raw := s.data[v.start:v.end]
	if !v.escaped {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			b.Write(raw)
			return b.String()
		}
		b.Write(raw[:i])
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case 'b':
			b.WriteByte('\b')
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'f':
			b.WriteByte('\f')
		case 'r':
			b.WriteByte('\r')
		case 'u':
			r, _ := hex4(raw)
			raw = raw[4:]
			if r >= surrogate && r < surrogateEnd {
				low, _ := hex4(raw[2:])
				raw = raw[6:]
				r = (r-surrogate)<<10 | (low - lowSurrogate) + 0x10000
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
		}
	}
}

// The code units that stand for half a character.
const (
	surrogate    = 0xd800
	lowSurrogate = 0xdc00
	surrogateEnd = 0xe000
)

func (s *Scanner) string() (Value, error) {
	s.pos++
	v := Value{start: uint32(s.pos), Kind: String}
	for {
		s.pos += plainPrefix(s.data[s.pos:])
		if s.pos == len(s.data) {
			return v, s.errorf("unexpected end in a string")
		}
		switch s.data[s.pos] {
		case '"':
			v.end = uint32(s.pos)
			s.pos++
			return v, nil
		case '\\':
			v.escaped = true
			if err := s.escape(); err != nil {
				return v, err
			}
		default:
			return v, s.errorf("raw control character in a string")
		}
	}
}

func (s *Scanner) escape() error {
	rest := s.data[s.pos+1:]
	if len(rest) == 0 {
		return s.errorf("unexpected end in a string")
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		unit, ok := hex4(rest[1:])
		if !ok {
			return s.errorf("bad escape: four hexadecimal digits have to follow")
		}
		if unit < surrogate || unit >= surrogateEnd {
			s.pos += 6
			return nil
		}
		if rest = rest[5:]; unit < lowSurrogate && len(rest) > 1 && rest[0] == '\\' && rest[1] == 'u' {
			if low, ok := hex4(rest[2:]); ok && low >= lowSurrogate && low < surrogateEnd {
				s.pos += 12
				return nil
			}
		}
		return s.errorf("lone surrogate")
	}
	return s.errorf("bad escape")
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (s *Scanner) number() (Value, error) {
	v := Value{start: uint32(s.pos), Kind: Number}
	if s.data[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.data) && s.data[s.pos] == '0' {
		s.pos++
	} else if !s.digits() {
		return v, s.unexpected("a digit")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return v, s.unexpected("a digit")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return v, s.unexpected("a digit")
		}
	}
	v.end = uint32(s.pos)
	return v, nil
}

func (s *Scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *Scanner) word(w string, k Kind) (Value, error) {
	start := s.pos
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return Value{}, s.unexpected("a value")
	}
	s.pos += len(w)
	return Value{start: uint32(start), end: uint32(s.pos), Kind: k}, nil
}

func (s *Scanner) enter(c byte) error {
	if err := s.Expect(c); err != nil {
		return err
	}
	if s.depth++; s.depth > MaxDepth {
		return s.errorf(fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	return nil
}

func (s *Scanner) leave() error {
	s.pos++
	s.depth--
	return nil
}

func (s *Scanner) errorf(rule string) error { return &SyntaxError{s.pos, rule} }

func (s *Scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return s.errorf("unexpected end, want " + want)
	}
	return s.errorf("want " + want)
}

// plainPrefix returns how many bytes at the beginning of s can stand in a JSON
// string as they are.
func plainPrefix(s []byte) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		if m := special(w); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(s) && plain[s[i]] {
		i++
	}
	return i
}

// special marks the bytes of w that are a control, a quote or a backslash, by
// their highest bit. Marks above the lowest one may be wrong: a borrow runs
// upwards.
func special(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^ones*'"', w^ones*'\\'
	return ((w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}
