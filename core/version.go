package core

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a semantic version. The zero value is 0.0.0.
type Version struct {
	Major, Minor, Patch uint64
	// Pre and Build are the dot-separated parts behind '-' and '+', without
	// the sign; empty for none.
	Pre, Build string
}

// ParseVersion parses a semantic version such as "1.2.3-rc.1+build". It
// returns an error that names the text and the rule.
func ParseVersion(s string) (Version, error) {
	var v Version
	rest := s
	if i := strings.IndexByte(rest, '+'); i >= 0 {
		v.Build, rest = rest[i+1:], rest[:i]
		if err := checkIdentifiers(v.Build, false); err != nil {
			return Version{}, fmt.Errorf("version %q: build metadata: %w", s, err)
		}
	}
	if i := strings.IndexByte(rest, '-'); i >= 0 {
		v.Pre, rest = rest[i+1:], rest[:i]
		if err := checkIdentifiers(v.Pre, true); err != nil {
			return Version{}, fmt.Errorf("version %q: pre-release: %w", s, err)
		}
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 3 {
		return Version{}, fmt.Errorf("version %q: want major.minor.patch", s)
	}
	for i, dst := range []*uint64{&v.Major, &v.Minor, &v.Patch} {
		n, err := parseNumber(parts[i])
		if err != nil {
			return Version{}, fmt.Errorf("version %q: %w", s, err)
		}
		*dst = n
	}
	return v, nil
}

// MustParseVersion is [ParseVersion] for constants; it panics on bad text.
func MustParseVersion(s string) Version {
	v, err := ParseVersion(s)
	if err != nil {
		panic(err)
	}
	return v
}

// String returns the version as text.
func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	if v.Build != "" {
		s += "+" + v.Build
	}
	return s
}

// Packed returns the integer by which providers compare versions: major,
// minor and patch in one number, pre-release and build ignored. It is
// meaningful only while minor and patch are below [VersionComponentBound].
func (v Version) Packed() uint64 {
	return v.Major*VersionComponentBound*VersionComponentBound + v.Minor*VersionComponentBound + v.Patch
}

// Compare returns -1, 0 or 1 in the total order of the family: numbers first,
// a pre-release below its release, then build metadata.
func (v Version) Compare(o Version) int {
	if c := cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch)); c != 0 {
		return c
	}
	if c := comparePre(v.Pre, o.Pre); c != 0 {
		return c
	}
	return compareBuild(v.Build, o.Build)
}

// comparePre orders pre-releases; none sorts above any.
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	return compareIdentifiers(a, b, func(x, y string) int {
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	})
}

// compareBuild orders build metadata; none sorts below any.
func compareBuild(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return -1
	case b == "":
		return 1
	}
	return compareIdentifiers(a, b, func(x, y string) int {
		// Leading zeros are allowed here: the value decides, then the length.
		tx, ty := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(cmp.Compare(len(tx), len(ty)), cmp.Compare(tx, ty), cmp.Compare(len(x), len(y)))
	})
}

// compareIdentifiers compares dot-separated lists: numbers below words,
// numbers by the given function, words as bytes, a shorter list first.
func compareIdentifiers(a, b string, numbers func(x, y string) int) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, y := as[i], bs[i]
		var c int
		switch nx, ny := isNumeric(x), isNumeric(y); {
		case nx && ny:
			c = numbers(x, y)
		case nx:
			c = -1
		case ny:
			c = 1
		default:
			c = cmp.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func isNumeric(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func parseNumber(s string) (uint64, error) {
	if !isNumeric(s) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("%q has a leading zero", s)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is out of range", s)
	}
	return n, nil
}

func checkIdentifiers(s string, noLeadingZeros bool) error {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" {
			return fmt.Errorf("an identifier is empty")
		}
		for _, r := range []byte(id) {
			if r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
				return fmt.Errorf("identifier %q: only letters, digits and hyphens are allowed", id)
			}
		}
		if noLeadingZeros && isNumeric(id) && len(id) > 1 && id[0] == '0' {
			return fmt.Errorf("identifier %q has a leading zero", id)
		}
	}
	return nil
}
