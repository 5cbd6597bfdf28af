package validation

import "github.com/duroxide/duroxide-go/core"

var customStatus = inCategory("custom_status",
	Case{
		Name:     "TestCustomStatusSet",
		Rule:     "A status that an ack sets is read with version 1.",
		Contract: "3.14, 5.7",
		run:      customStatusSet,
	},
	Case{
		Name:     "TestCustomStatusClear",
		Rule:     "Clearing the status is a change: no status, the next version.",
		Contract: "3.14, 5.7",
		run:      customStatusClear,
	},
	Case{
		Name:     "TestCustomStatusNonePreserves",
		Rule:     "An ack that does not mention the status leaves it and its version.",
		Contract: "5.7",
		run:      customStatusNonePreserves,
	},
	Case{
		Name:     "TestCustomStatusVersionIncrements",
		Rule:     "Every ack that touches the status raises the version by one; the last event decides.",
		Contract: "5.7",
		run:      customStatusVersionIncrements,
	},
	Case{
		Name:     "TestCustomStatusPollingNoChange",
		Rule:     "Who knows the current version is told nothing; who does not is told the status.",
		Contract: "3.14",
		run:      customStatusPollingNoChange,
	},
	Case{
		Name:     "TestCustomStatusNonexistentInstance",
		Rule:     "An unknown instance has no status; asking is no error.",
		Contract: "3.14",
		run:      customStatusNonexistentInstance,
	},
	Case{
		Name:     "TestCustomStatusDefaultOnNewInstance",
		Rule:     "A new instance has no status.",
		Contract: "3.14, 5.7",
		run:      customStatusDefaultOnNewInstance,
	},
)

// customStatus asks for the status of the instance, nil if there is no news.
func (t *trial) customStatus(instance string, seen uint64) *core.CustomStatus {
	s, err := t.p.GetCustomStatus(t.ctx, core.GetCustomStatusParams{Instance: instance, LastSeenVersion: seen})
	t.check("get_custom_status", err)
	return s
}

// wantStatus compares the status; nil for one that was cleared.
func (t *trial) wantStatus(instance string, status *string, version uint64) {
	wantEqual(t, "custom status", t.customStatus(instance, 0), &core.CustomStatus{Status: status, Version: version})
}

// update is the event that sets the status; nil clears it.
func update(status *string) core.EventData { return core.CustomStatusUpdated{Status: status} }

// setStatus runs a turn that updates the status, each time with the next event id.
func (t *trial) setStatus(instance string, id uint64, statuses ...*string) {
	var data []core.EventData
	for _, s := range statuses {
		data = append(data, update(s))
	}
	t.step(instance, ack{events: eventsOf(instance, 1, id, data...)})
}

func customStatusSet(t *trial) {
	t.createWith("set", ack{events: eventsOf("set", 1, 2, update(ptr("progress")))})
	t.wantStatus("set", ptr("progress"), 1)
}

func customStatusClear(t *trial) {
	t.create("clear")
	t.setStatus("clear", 2, ptr("progress"))
	t.setStatus("clear", 3, nil)
	t.wantStatus("clear", nil, 2)
}

func customStatusNonePreserves(t *trial) {
	t.create("keep")
	t.setStatus("keep", 2, ptr("keep-me"))
	t.step("keep", ack{events: eventsOf("keep", 1, 3, core.ExternalEvent{Name: "go", Data: "{}"}), meta: named("TestOrch", "1.0.0")})
	t.wantStatus("keep", ptr("keep-me"), 1)
}

func customStatusVersionIncrements(t *trial) {
	t.create("count")
	t.setStatus("count", 2, ptr("one"))
	t.wantStatus("count", ptr("one"), 1)
	t.setStatus("count", 3, ptr("not this"), ptr("two"))
	t.wantStatus("count", ptr("two"), 2)
	t.setStatus("count", 5, nil)
	t.wantStatus("count", nil, 3)
}

func customStatusPollingNoChange(t *trial) {
	t.create("poll")
	t.setStatus("poll", 2, ptr("progress"))
	if s := t.customStatus("poll", 1); s != nil {
		t.fatalf("asked for news after version 1, got version %d", s.Version)
	}
	t.wantStatus("poll", ptr("progress"), 1)
}

func customStatusNonexistentInstance(t *trial) {
	if s := t.customStatus("no-such-instance", 0); s != nil {
		t.fatalf("the status of an unknown instance has version %d", s.Version)
	}
}

func customStatusDefaultOnNewInstance(t *trial) {
	t.create("fresh")
	if s := t.customStatus("fresh", 0); s != nil {
		t.fatalf("the status of a new instance has version %d", s.Version)
	}
}
