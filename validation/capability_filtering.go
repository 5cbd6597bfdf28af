package validation

import "github.com/duroxide/duroxide-go/core"

var capabilityFiltering = inCategory("capability_filtering",
	Case{
		Name:     "TestFetchWithFilterNoneReturnsAnyItem",
		Rule:     "Without a filter an instance of any version is fetched.",
		Contract: "5.6",
		run:      fetchWithFilterNoneReturnsAnyItem,
	},
	Case{
		Name:     "TestFetchWithCompatibleFilterReturnsItem",
		Rule:     "An instance whose pinned version is in the range is fetched.",
		Contract: "5.6",
		run:      fetchWithCompatibleFilterReturnsItem,
	},
	Case{
		Name:     "TestFetchWithIncompatibleFilterSkipsItem",
		Rule:     "An instance whose pinned version is outside the range is not fetched.",
		Contract: "5.6",
		run:      fetchWithIncompatibleFilterSkipsItem,
	},
	Case{
		Name:     "TestFetchFilterSkipsIncompatibleSelectsCompatible",
		Rule:     "An incompatible instance at the head of the queue does not hide a compatible one behind it.",
		Contract: "5.6",
		run:      fetchFilterSkipsIncompatibleSelectsCompatible,
	},
	Case{
		Name:     "TestFetchFilterDoesNotLockSkippedInstances",
		Rule:     "An instance that a filter skips is neither locked nor counted.",
		Contract: "3.1, 5.6",
		run:      fetchFilterDoesNotLockSkippedInstances,
	},
	Case{
		Name:     "TestFetchFilterNullPinnedVersionAlwaysCompatible",
		Rule:     "An execution without a pinned version passes every range.",
		Contract: "5.6",
		run:      fetchFilterNullPinnedVersionAlwaysCompatible,
	},
	Case{
		Name:     "TestFetchFilterBoundaryVersions",
		Rule:     "Both ends of a range belong to it.",
		Contract: "5.6",
		run:      fetchFilterBoundaryVersions,
	},
	Case{
		Name:     "TestPinnedVersionStoredViaAckMetadata",
		Rule:     "The pinned version is what the ack's metadata says.",
		Contract: "3.2, 5.6",
		run:      pinnedVersionStoredViaAckMetadata,
	},
	Case{
		Name:     "TestPinnedVersionImmutableAcrossAckCycles",
		Rule:     "An ack without a pinned version leaves the one that is stored.",
		Contract: "3.2, 5.6",
		run:      pinnedVersionImmutableAcrossAckCycles,
	},
	Case{
		Name:     "TestContinueAsNewExecutionGetsOwnPinnedVersion",
		Rule:     "The next execution has a pinned version of its own, and only that one counts.",
		Contract: "5.6",
		run:      continueAsNewExecutionGetsOwnPinnedVersion,
	},
	Case{
		Name:     "TestFilterWithEmptySupportedVersionsReturnsNothing",
		Rule:     "A filter without ranges fetches nothing, not even new work.",
		Contract: "3.1, 5.6",
		run:      filterWithEmptySupportedVersionsReturnsNothing,
	},
	Case{
		Name:     "TestConcurrentFilteredFetchNoDoubleLock",
		Rule:     "A filter does not get around the lock.",
		Contract: "3.1, 5.6",
		run:      concurrentFilteredFetchNoDoubleLock,
	},
	Case{
		Name:     "TestAckStoresPinnedVersionViaMetadataUpdate",
		Rule:     "A later ack can pin a version, even one without events.",
		Contract: "3.2, 5.6",
		run:      ackStoresPinnedVersionViaMetadataUpdate,
	},
	Case{
		Name:     "TestProviderUpdatesPinnedVersionWhenTold",
		Rule:     "A pinned version can be replaced.",
		Contract: "3.2, 5.6",
		run:      providerUpdatesPinnedVersionWhenTold,
	},
	Case{
		Name:     "TestFetchCorruptedHistoryFilteredVsUnfiltered",
		Rule:     "A history that cannot be decoded comes as an item that says so; a filter that excludes the instance does not touch it.",
		Contract: "3.1, 5.6, 5.9",
		needs:    []need{needsCorruptHistory},
		run:      fetchCorruptedHistoryFilteredVsUnfiltered,
	},
	Case{
		Name:     "TestFetchDeserializationErrorIncrementsAttemptCount",
		Rule:     "A fetch that reports an undecodable history counts as an attempt.",
		Contract: "5.2, 5.9",
		needs:    []need{needsCorruptHistory, needsMaxAttemptCount},
		run:      func(t *trial) { t.attemptsOnCorruptHistory(2) },
	},
	Case{
		Name:     "TestFetchDeserializationErrorEventuallyReachesPoison",
		Rule:     "The attempts go on being counted while a history stays undecodable.",
		Contract: "5.2, 5.9",
		needs:    []need{needsCorruptHistory, needsMaxAttemptCount},
		run:      func(t *trial) { t.attemptsOnCorruptHistory(5) },
	},
	Case{
		Name:     "TestFetchFilterAppliedBeforeHistoryDeserialization",
		Rule:     "The filter comes before the history is read.",
		Contract: "3.1, 5.6",
		needs:    []need{needsCorruptHistory},
		run:      fetchFilterAppliedBeforeHistoryDeserialization,
	},
	Case{
		Name:     "TestFetchSingleRangeOnlyUsesFirstRange",
		Rule:     "Of several ranges only the first one counts.",
		Contract: "5.6",
		run:      fetchSingleRangeOnlyUsesFirstRange,
	},
	Case{
		Name:     "TestAckAppendsEventToCorruptedHistory",
		Rule:     "An ack appends without reading what is stored, so that a corrupt instance can be failed.",
		Contract: "3.2, 5.9",
		needs:    []need{needsCorruptHistory, needsAdminReader},
		run:      ackAppendsEventToCorruptedHistory,
	},
)

// between is a filter of ranges, given as pairs of versions.
func between(versions ...string) *core.CapabilityFilter {
	f := &core.CapabilityFilter{}
	for i := 0; i < len(versions); i += 2 {
		f.SupportedVersions = append(f.SupportedVersions, core.VersionRange{
			Min: core.MustParseVersion(versions[i]), Max: core.MustParseVersion(versions[i+1]),
		})
	}
	return f
}

// pinned is metadata that pins a version.
func pinned(m core.ExecutionMetadata, version string) core.ExecutionMetadata {
	m.PinnedDuroxideVersion = ptr(core.MustParseVersion(version))
	return m
}

// pin makes an instance pinned at a version, none if it is empty, that has a
// message waiting.
func (t *trial) pin(instance, version string) {
	a := ack{messages: []core.WorkItem{raised(instance, "go")}, meta: named("TestOrch", "1.0.0")}
	if version != "" {
		a.meta = pinned(a.meta, version)
	}
	t.createWith(instance, a)
}

// turnIn fetches with a filter what must be that instance.
func (t *trial) turnIn(filter *core.CapabilityFilter, instance string) *core.OrchestrationItem {
	item := t.fetch(longLease, filter)
	t.requireTurn(item, instance)
	return item
}

func fetchWithFilterNoneReturnsAnyItem(t *trial) {
	t.pin("pinned", "1.2.3")
	t.turn("pinned")
}

func fetchWithCompatibleFilterReturnsItem(t *trial) {
	t.pin("pinned", "1.2.3")
	t.turnIn(between("1.0.0", "1.9.9"), "pinned")
}

func fetchWithIncompatibleFilterSkipsItem(t *trial) {
	t.pin("pinned", "1.2.3")
	t.noTurnWith(between("2.0.0", "2.9.9"), "the version is below the range")
	t.noTurnWith(between("0.0.0", "1.2.2"), "the version is above the range")
}

func fetchFilterSkipsIncompatibleSelectsCompatible(t *trial) {
	t.pin("one", "1.0.0")
	one := t.turn("one") // out of the way while the second instance is made
	t.pin("two", "2.0.0")
	t.abandon(one, 0, false)
	t.turnIn(between("2.0.0", "2.9.9"), "two")
	t.turnIn(between("1.0.0", "1.9.9"), "one")
}

func fetchFilterDoesNotLockSkippedInstances(t *trial) {
	t.pin("skipped", "1.0.0")
	t.noTurnWith(between("2.0.0", "2.9.9"), "the version is below the range")
	turn := t.turnIn(between("1.0.0", "1.9.9"), "skipped")
	t.wantAttempt(turn.AttemptCount, 1)
}

func fetchFilterNullPinnedVersionAlwaysCompatible(t *trial) {
	t.pin("unpinned", "")
	t.turnIn(between("99.0.0", "99.9.9"), "unpinned")
}

func fetchFilterBoundaryVersions(t *trial) {
	filter := between("1.0.0", "1.9.99")
	for _, version := range []string{"1.0.0", "1.9.99"} {
		t.pin(version, version)
		t.turnIn(filter, version)
	}
	t.p = t.newProvider()
	t.noTurn("the store is fresh")
	t.pin("2.0.0", "2.0.0")
	t.noTurnWith(filter, "the version is above the range")
	t.turn("2.0.0")
}

func pinnedVersionStoredViaAckMetadata(t *trial) {
	t.pin("pinned", "3.1.4")
	t.noTurnWith(between("3.1.5", "3.9.9"), "the version is below the range")
	t.turnIn(between("3.1.4", "3.1.4"), "pinned")
}

func pinnedVersionImmutableAcrossAckCycles(t *trial) {
	t.pin("pinned", "1.0.0")
	t.ack(t.turn("pinned"), ack{
		events:   []core.Event{event("pinned", 2, core.ExternalEvent{Name: "go", Data: "{}"})},
		messages: []core.WorkItem{raised("pinned", "again")},
		meta:     named("TestOrch", "1.0.0"),
	})
	t.noTurnWith(between("2.0.0", "2.9.9"), "the version is below the range")
	t.turnIn(between("1.0.0", "1.0.0"), "pinned")
}

func continueAsNewExecutionGetsOwnPinnedVersion(t *trial) {
	const id = "continued"
	next := core.ContinueAsNewItem{Instance: id, Orchestration: "TestOrch", Input: "next"}
	t.createWith(id, ack{
		events:   []core.Event{event(id, 2, core.OrchestrationContinuedAsNew{Input: "next"})},
		messages: []core.WorkItem{next},
		meta:     pinned(core.ExecutionMetadata{Status: core.StatusContinuedAsNew, Output: ptr("next")}, "1.0.0"),
	})
	turn := t.turnIn(between("1.0.0", "1.0.0"), id)
	t.wantMessages(turn, next)
	t.ack(turn, ack{
		exec:     2,
		events:   []core.Event{started(id, 2)},
		messages: []core.WorkItem{raised(id, "go")},
		meta:     pinned(named("TestOrch", "1.0.0"), "2.0.0"),
	})
	t.noTurnWith(between("1.0.0", "1.9.9"), "the current execution is pinned at 2.0.0")
	t.turnIn(between("2.0.0", "2.9.9"), id)
}

func filterWithEmptySupportedVersionsReturnsNothing(t *trial) {
	t.pin("pinned", "1.0.0")
	t.enqueue(start("new"))
	t.noTurnWith(&core.CapabilityFilter{}, "the filter supports nothing")
	t.turn("pinned")
}

func concurrentFilteredFetchNoDoubleLock(t *trial) {
	t.pin("pinned", "1.0.0")
	t.turnIn(between("1.0.0", "1.9.9"), "pinned")
	t.noTurnWith(between("1.0.0", "1.9.9"), "the instance is locked")
}

func ackStoresPinnedVersionViaMetadataUpdate(t *trial) {
	t.pin("unpinned", "")
	t.ack(t.turn("unpinned"), ack{
		messages: []core.WorkItem{raised("unpinned", "again")},
		meta:     pinned(core.ExecutionMetadata{}, "1.5.0"),
	})
	t.noTurnWith(between("2.0.0", "2.9.9"), "the version is below the range")
	t.turnIn(between("1.5.0", "1.5.0"), "unpinned")
}

func providerUpdatesPinnedVersionWhenTold(t *trial) {
	t.pin("pinned", "1.0.0")
	t.ack(t.turn("pinned"), ack{
		messages: []core.WorkItem{raised("pinned", "again")},
		meta:     pinned(core.ExecutionMetadata{}, "2.0.0"),
	})
	t.noTurnWith(between("1.0.0", "1.0.0"), "the version was replaced")
	t.turnIn(between("2.0.0", "2.0.0"), "pinned")
}

func fetchSingleRangeOnlyUsesFirstRange(t *trial) {
	t.pin("A", "1.0.0")
	a := t.turn("A") // out of the way while the second instance is made
	t.pin("B", "3.0.0")
	t.abandon(a, 0, false)
	filter := between("1.0.0", "1.5.0", "3.0.0", "3.5.0")
	t.turnIn(filter, "A")
	t.noTurnWith(filter, "the other instance is not in the first range")
	t.turn("B")
}
