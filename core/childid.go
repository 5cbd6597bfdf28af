package core

import (
	"strconv"
	"strings"
)

// autoChildPrefix marks a child id that the runtime generated.
const autoChildPrefix = "sub::"

// IsAutoChildID reports whether a recorded child id is a generated suffix
// rather than an id that the author chose.
func IsAutoChildID(id string) bool { return strings.HasPrefix(id, autoChildPrefix) }

// AutoChildID returns the suffix that the runtime records for a child without
// an explicit id: "sub::<event>" in the first execution of the parent and
// "sub::<execution>_<event>" later, so that executions never share a child.
func AutoChildID(executionID, eventID uint64) string {
	event := strconv.FormatUint(eventID, 10)
	if executionID == FirstExecutionID {
		return autoChildPrefix + event
	}
	return autoChildPrefix + strconv.FormatUint(executionID, 10) + "_" + event
}

// ChildInstanceID returns the instance id of a child from its recorded id: a
// generated suffix is put behind the parent's id, every other id is the
// instance id itself.
func ChildInstanceID(parent, recorded string) string {
	if IsAutoChildID(recorded) {
		return parent + "::" + recorded
	}
	return recorded
}

// IsReservedRootID reports whether id may not be used for an instance that a
// client or a detached start makes, because it looks like a child's.
func IsReservedRootID(id string) bool {
	return strings.HasPrefix(id, autoChildPrefix) || strings.Contains(id, "::"+autoChildPrefix)
}
