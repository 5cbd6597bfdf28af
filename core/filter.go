package core

import (
	"fmt"
	"slices"
)

// TagMode says how a [TagFilter] treats tagged and untagged activities.
type TagMode int

// The tag modes (contract 2.5).
const (
	// TagsDefaultOnly takes only untagged activities; the zero value.
	TagsDefaultOnly TagMode = iota
	// TagsOnly takes only activities whose tag is in the set.
	TagsOnly
	// TagsDefaultAnd takes untagged activities and those whose tag is in the set.
	TagsDefaultAnd
	// TagsAny takes every activity.
	TagsAny
	// TagsNone takes no activity at all.
	TagsNone
)

// TagFilter says which activities a worker takes. The zero value takes the
// untagged ones. Comparison is exact; the empty string is a tag, distinct from
// no tag.
type TagFilter struct {
	Mode TagMode
	// Tags is the set for TagsOnly and TagsDefaultAnd: 1 to [MaxWorkerTags]
	// distinct tags. It must be empty for the other modes.
	Tags []string
}

// Matches reports whether the filter takes an activity with that tag; nil is
// an untagged one. It does not check the filter: see Validate.
func (f TagFilter) Matches(tag *string) bool {
	switch f.Mode {
	case TagsDefaultOnly:
		return tag == nil
	case TagsOnly:
		return tag != nil && slices.Contains(f.Tags, *tag)
	case TagsDefaultAnd:
		return tag == nil || slices.Contains(f.Tags, *tag)
	case TagsAny:
		return true
	}
	return false
}

// Validate returns an error that names the rule that the filter breaks.
func (f TagFilter) Validate() error {
	switch f.Mode {
	case TagsDefaultOnly, TagsAny, TagsNone:
		if len(f.Tags) > 0 {
			return fmt.Errorf("tag filter: %w: only the modes TagsOnly and TagsDefaultAnd take tags", ErrInvalidArgument)
		}
		return nil
	case TagsOnly, TagsDefaultAnd:
		distinct := slices.Compact(slices.Sorted(slices.Values(f.Tags)))
		if len(distinct) == 0 {
			return fmt.Errorf("tag filter: %w: requires at least one tag", ErrInvalidArgument)
		}
		if len(distinct) > MaxWorkerTags {
			return fmt.Errorf("tag filter: %w: takes at most %d tags, not %d", ErrInvalidArgument, MaxWorkerTags, len(distinct))
		}
		return nil
	}
	return fmt.Errorf("tag filter: %w: unknown mode %d", ErrInvalidArgument, f.Mode)
}

// VersionRange is a range of runtime versions, inclusive at both ends.
type VersionRange struct{ Min, Max Version }

// Contains reports whether v is in the range in full semver order, in which a
// pre-release sorts below its release. Providers compare packed versions
// instead: see [Version.Packed].
func (r VersionRange) Contains(v Version) bool {
	return r.Min.Compare(v) <= 0 && v.Compare(r.Max) <= 0
}

// CapabilityFilter restricts an orchestration fetch to executions that were
// started by a runtime version in one of the ranges. An execution without a
// pinned version always passes.
type CapabilityFilter struct {
	// SupportedVersions are the ranges. Providers use only the first one; an
	// empty list supports nothing, and the fetch returns nothing.
	SupportedVersions []VersionRange
}

// Supports reports whether any of the ranges contains v in full semver order.
func (f CapabilityFilter) Supports(v Version) bool {
	return slices.ContainsFunc(f.SupportedVersions, func(r VersionRange) bool { return r.Contains(v) })
}

// UpTo returns the filter of a runtime that replays every version up to its own.
func UpTo(own Version) CapabilityFilter {
	return CapabilityFilter{SupportedVersions: []VersionRange{{Max: own}}}
}
