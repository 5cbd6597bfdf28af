package validation

import "github.com/duroxide/duroxide-go/core"

var tagFiltering = inCategory("tag_filtering",
	Case{
		Name:     "TestDefaultOnlyFetchesUntagged",
		Rule:     "The default filter takes untagged activities only.",
		Contract: "2.5, 3.8",
		run:      defaultOnlyFetchesUntagged,
	},
	Case{
		Name:     "TestTagsFetchesOnlyMatching",
		Rule:     "A filter of tags takes activities with one of them only.",
		Contract: "2.5, 3.8",
		run:      tagsFetchesOnlyMatching,
	},
	Case{
		Name:     "TestDefaultAndFetchesUntaggedAndMatching",
		Rule:     "A filter of the default and tags takes both.",
		Contract: "2.5, 3.8",
		run:      defaultAndFetchesUntaggedAndMatching,
	},
	Case{
		Name:     "TestNoneFilterReturnsNothing",
		Rule:     "The filter that takes none takes none.",
		Contract: "2.5, 3.8",
		run:      noneFilterReturnsNothing,
	},
	Case{
		Name:     "TestMultiTagFilter",
		Rule:     "A filter of several tags takes activities with any of them.",
		Contract: "2.5, 3.8",
		run:      multiTagFilter,
	},
	Case{
		Name:     "TestTagRoundTripPreservation",
		Rule:     "An activity comes back with its tag.",
		Contract: "3.7, 3.8",
		run:      tagRoundTripPreservation,
	},
	Case{
		Name:     "TestAnyFilterFetchesEverything",
		Rule:     "The filter that takes any takes tagged and untagged activities.",
		Contract: "2.5, 3.8",
		run:      anyFilterFetchesEverything,
	},
	Case{
		Name:     "TestTagSurvivesAbandonAndRefetch",
		Rule:     "An abandoned activity keeps its tag.",
		Contract: "3.11",
		run:      tagSurvivesAbandonAndRefetch,
	},
	Case{
		Name:     "TestMultiRuntimeTagIsolation",
		Rule:     "Workers with different filters each get what is theirs, and nothing is lost.",
		Contract: "2.5, 3.8",
		run:      multiRuntimeTagIsolation,
	},
	Case{
		Name:     "TestTagPreservedThroughAckOrchestrationItem",
		Rule:     "An activity that an ack schedules has its tag.",
		Contract: "3.2, 3.8",
		run:      tagPreservedThroughAckOrchestrationItem,
	},
)

// tagged is an activity with a tag, none if it is empty.
func tagged(id uint64, tag string) core.ActivityExecuteItem {
	item := activity("tags", id)
	if tag != "" {
		item.Tag = &tag
	}
	return item
}

// enqueueTagged enqueues activities numbered from 1 with these tags.
func (t *trial) enqueueTagged(tags ...string) {
	for i, tag := range tags {
		t.enqueue(tagged(uint64(i+1), tag))
	}
}

// wantOnly fetches with a filter until there is nothing, and compares.
func (t *trial) wantOnly(filter core.TagFilter, ids ...uint64) {
	for _, id := range ids {
		t.work(id, take{tags: filter})
	}
	t.noWork(take{tags: filter}, "nothing is left that the filter takes")
}

func defaultOnlyFetchesUntagged(t *trial) {
	t.enqueueTagged("", "gpu", "")
	t.wantOnly(core.TagFilter{}, 1, 3)
}

func tagsFetchesOnlyMatching(t *trial) {
	t.enqueueTagged("", "gpu", "cpu", "gpu")
	t.wantOnly(tags("gpu"), 2, 4)
}

func defaultAndFetchesUntaggedAndMatching(t *trial) {
	t.enqueueTagged("", "gpu", "cpu")
	t.wantOnly(core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"gpu"}}, 1, 2)
}

func noneFilterReturnsNothing(t *trial) {
	t.enqueueTagged("", "gpu")
	t.wantOnly(core.TagFilter{Mode: core.TagsNone})
}

func multiTagFilter(t *trial) {
	t.enqueueTagged("gpu", "tpu", "cpu", "")
	t.wantOnly(tags("gpu", "tpu"), 1, 2)
}

func tagRoundTripPreservation(t *trial) {
	t.enqueueTagged("gpu")
	wantEqual[core.WorkItem](t, "activity", t.work(1, take{tags: tags("gpu")}).Item, tagged(1, "gpu"))
}

func anyFilterFetchesEverything(t *trial) {
	t.enqueueTagged("", "gpu", "cpu")
	t.wantOnly(core.TagFilter{Mode: core.TagsAny}, 1, 2, 3)
}

func tagSurvivesAbandonAndRefetch(t *trial) {
	t.enqueueTagged("gpu", "")
	first := t.work(1, take{tags: tags("gpu")})
	t.abandonWork(first, 0, false)
	second := t.work(1, take{tags: tags("gpu")})
	wantEqual[core.WorkItem](t, "activity", second.Item, tagged(1, "gpu"))
	t.wantAttempt(second.AttemptCount, 2)
	if second.LockToken == first.LockToken {
		t.fatalf("the second fetch got the token of the first")
	}
	t.abandonWork(second, 0, false)
	t.wantOnly(core.TagFilter{}, 2)
}

func multiRuntimeTagIsolation(t *trial) {
	t.enqueueTagged("", "gpu", "cpu", "fpga", "gpu")
	t.work(1, take{})
	t.noWork(take{}, "all others are tagged")
	t.work(2, take{tags: tags("gpu", "cpu")})
	t.work(3, take{tags: tags("gpu", "cpu")})
	t.wantOnly(tags("cpu", "fpga"), 4)
	t.wantOnly(core.TagFilter{Mode: core.TagsAny}, 5)
}

func tagPreservedThroughAckOrchestrationItem(t *trial) {
	t.createWith("tags", ack{work: []core.WorkItem{tagged(2, "gpu"), tagged(3, "")}})
	t.wantOnly(core.TagFilter{}, 3)
	wantEqual[core.WorkItem](t, "activity", t.work(2, take{tags: tags("gpu")}).Item, tagged(2, "gpu"))
}
