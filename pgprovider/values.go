package pgprovider

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/duroxide/duroxide-go/core"
)

const (
	// maxTimestampMs is the last whole second that a timestamptz holds.
	maxTimestampMs = 9_224_318_015_999_000
	// maxMajor keeps the packed version in the 32 bits in which the functions
	// compute it.
	maxMajor = 2147
)

// invalid is an error about one argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", core.ErrInvalidArgument, fmt.Sprintf(format, args...))
}

// notFound returns an error such as "Instance a not found", the family's text.
func notFound(format string, args ...any) error {
	return fmt.Errorf(format+" %w", append(args, core.ErrNotFound)...)
}

// checkText refuses a string that neither text nor jsonb can hold.
func checkText(field, s string) error {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return invalid("%s holds U+0000 at byte %d, which PostgreSQL cannot store", field, i)
	}
	if !utf8.ValidString(s) {
		return invalid("%s is not valid UTF-8", field)
	}
	return nil
}

// checkTextPtr is checkText for an optional string.
func checkTextPtr(field string, s *string) error {
	if s == nil {
		return nil
	}
	return checkText(field, *s)
}

// checkTexts checks pairs of field and string.
func checkTexts(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := checkText(pairs[i], pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// checkList is checkText for every string of a list.
func checkList(field string, list []string) error {
	for i, s := range list {
		if err := checkText(fmt.Sprintf("%s[%d]", field, i), s); err != nil {
			return err
		}
	}
	return nil
}

// checkEncoded is checkText for all strings of v, given its JSON or why there is
// none: only what looks suspicious is worth a walk. The escape can also be the
// text of a string that holds JSON itself, which is fine.
func checkEncoded(field string, encoded []byte, encodeErr error, v any) error {
	if encodeErr == nil && utf8.Valid(encoded) && !bytes.Contains(encoded, []byte(`\u0000`)) {
		return nil
	}
	if err := checkValue(field, reflect.ValueOf(v)); err != nil {
		return err
	}
	if encodeErr != nil {
		return invalid("%s: %v", field, encodeErr)
	}
	return nil
}

func checkValue(field string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return checkText(field, v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return checkValue(field, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := checkValue(field+"."+v.Type().Field(i).Name, v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkValue(fmt.Sprintf("%s[%d]", field, i), v.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkID refuses an id that does not fit a signed column.
func checkID(field string, id uint64) error {
	if id > math.MaxInt64 {
		return invalid("%s %d is above the largest id that PostgreSQL holds, %d", field, id, int64(math.MaxInt64))
	}
	return nil
}

// checkItemIDs checks every id of an item: the functions read some of them as
// signed integers, and one bad row would stop a queue.
func checkItemIDs(field string, item core.WorkItem) error {
	switch i := item.(type) {
	case core.StartOrchestrationItem:
		return checkIDs(field, "ExecutionID", i.ExecutionID, "ParentID", deref(i.ParentID),
			"ParentExecutionID", deref(i.ParentExecutionID))
	case core.ContinueAsNewItem:
		return checkIDs(field, "ParentID", deref(i.ParentID), "ParentExecutionID", deref(i.ParentExecutionID))
	case core.ActivityExecuteItem:
		return checkIDs(field, "ExecutionID", i.ExecutionID, "ID", i.ID)
	case core.ActivityCompletedItem:
		return checkIDs(field, "ExecutionID", i.ExecutionID, "ID", i.ID)
	case core.ActivityFailedItem:
		return checkIDs(field, "ExecutionID", i.ExecutionID, "ID", i.ID)
	case core.TimerFiredItem:
		return checkIDs(field, "ExecutionID", i.ExecutionID, "ID", i.ID)
	case core.SubOrchCompletedItem:
		return checkIDs(field, "ParentExecutionID", i.ParentExecutionID, "ParentID", i.ParentID)
	case core.SubOrchFailedItem:
		return checkIDs(field, "ParentExecutionID", i.ParentExecutionID, "ParentID", i.ParentID)
	}
	return nil
}

// checkIDs checks pairs of name and id.
func checkIDs(field string, pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := checkID(field+"."+pairs[i].(string), pairs[i+1].(uint64)); err != nil {
			return err
		}
	}
	return nil
}

func deref(v *uint64) uint64 {
	if v == nil {
		return 0
	}
	return *v
}

// checkPin refuses a version that the functions cannot pack.
func checkPin(v core.Version) error {
	switch {
	case v.Major > maxMajor:
		return invalid("PinnedDuroxideVersion %v: major is above %d", v, maxMajor)
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

// milliseconds returns d in milliseconds, rounded up, 0 for a negative one.
func milliseconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Millisecond) + 1
}

// positive returns d in milliseconds, or an error if it is not above zero.
func positive(field string, d time.Duration) (int64, error) {
	if d <= 0 {
		return 0, invalid("%s %v is not above zero", field, d)
	}
	return milliseconds(d), nil
}

// optionalDelay returns d in milliseconds, nil for none.
func optionalDelay(d time.Duration) *int64 {
	if d <= 0 {
		return nil
	}
	ms := milliseconds(d)
	return &ms
}

// visibleAt returns when a message becomes visible, epoch milliseconds.
func visibleAt(item core.WorkItem, now, delay int64) int64 {
	at := now + delay // both are far from the end of the range
	if timer, ok := item.(core.TimerFiredItem); ok {
		at = max(at, int64(min(timer.FireAtMs, maxTimestampMs)))
	}
	return min(at, maxTimestampMs)
}
