package sqliteprovider

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/duroxide/duroxide-go/core"
)

// maxMajor keeps a packed version within a signed column.
const maxMajor = 9_000_000_000_000

// invalid is an error about one argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", core.ErrInvalidArgument, fmt.Sprintf(format, args...))
}

// notFound returns an error such as "Instance a not found", the family's text.
func notFound(format string, args ...any) error {
	return fmt.Errorf(format+" %w", append(args, core.ErrNotFound)...)
}

// checkText refuses a string that would not come back as it is.
func checkText(field, s string) error {
	if !utf8.ValidString(s) {
		return invalid("%s is not valid UTF-8", field)
	}
	return nil
}

func checkTextPtr(field string, s *string) error {
	if s == nil {
		return nil
	}
	return checkText(field, *s)
}

// checkID refuses an id that does not fit a signed column.
func checkID(field string, id uint64) error {
	if id > math.MaxInt64 {
		return invalid("%s %d is above the largest id that SQLite holds, %d", field, id, int64(math.MaxInt64))
	}
	return nil
}

// checkPin refuses a version that cannot be packed.
func checkPin(v core.Version) error {
	switch {
	case v.Major > maxMajor:
		return invalid("PinnedDuroxideVersion %v: major is above %d", v, int64(maxMajor))
	case v.Minor >= core.VersionComponentBound, v.Patch >= core.VersionComponentBound:
		return invalid("PinnedDuroxideVersion %v: minor and patch must be below %d", v, core.VersionComponentBound)
	}
	return nil
}

// packMin returns the least packed version that is not below v. Pinned versions
// have small components, so a large one means the next higher number.
func packMin(v core.Version) int64 {
	major, minor, patch := v.Major, v.Minor, v.Patch
	if patch >= core.VersionComponentBound {
		minor, patch = min(minor, core.VersionComponentBound)+1, 0
	}
	if minor >= core.VersionComponentBound {
		major, minor, patch = min(major, maxMajor)+1, 0, 0
	}
	major = min(major, maxMajor+1)
	return int64(core.Version{Major: major, Minor: minor, Patch: patch}.Packed())
}

// packMax returns the greatest packed version that is not above v.
func packMax(v core.Version) int64 {
	const last = core.VersionComponentBound - 1
	major, minor, patch := v.Major, v.Minor, v.Patch
	switch {
	case major > maxMajor:
		major, minor, patch = maxMajor, last, last
	case minor > last:
		minor, patch = last, last
	case patch > last:
		patch = last
	}
	return int64(core.Version{Major: major, Minor: minor, Patch: patch}.Packed())
}

// after returns the time d after now, in milliseconds. A part of a millisecond
// counts as a whole one, so that a short lease is not born dead; a negative d
// counts as 0.
func after(now int64, d time.Duration) int64 {
	if d <= 0 {
		return now
	}
	ms := int64((d-1)/time.Millisecond) + 1
	if now > math.MaxInt64-ms {
		return math.MaxInt64
	}
	return now + ms
}

// requirePositive refuses a duration that is not above zero.
func requirePositive(field string, d time.Duration) error {
	if d <= 0 {
		return invalid("%s %v is not above zero", field, d)
	}
	return nil
}

// unsigned returns a stored time or count, 0 for a negative one.
func unsigned(v int64) uint64 { return uint64(max(v, 0)) }

// signed returns v, or the largest signed number if it is above.
func signed(v uint64) int64 { return int64(min(v, math.MaxInt64)) }

// signedPtr is signed for an optional number; it returns an argument that is
// NULL without one.
func signedPtr(v *uint64) any {
	if v == nil {
		return nil
	}
	return signed(*v)
}
