package validation

import (
	"errors"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

var errorHandling = inCategory("error_handling",
	Case{
		Name:     "TestInvalidLockTokenOnAck",
		Rule:     "An ack with a token that nobody was given is refused for good, in words that name the token.",
		Contract: "3.2, 5.1, 5.14",
		run:      invalidLockTokenOnAck,
	},
	Case{
		Name:     "TestDuplicateEventIdRejection",
		Rule:     "An ack that repeats an event id is refused, and the event that is stored stays as it was.",
		Contract: "3.2",
		run:      duplicateEventIDRejection,
	},
	Case{
		Name:     "TestMissingInstanceMetadata",
		Rule:     "The history of an unknown instance is empty; asking for it is no error.",
		Contract: "3.5",
		run:      missingInstanceMetadata,
	},
	Case{
		Name:     "TestCorruptedSerializationData",
		Rule:     "A fetch from an empty store finds nothing and is no error.",
		Contract: "3.1",
		run:      corruptedSerializationData,
	},
	Case{
		Name:     "TestLockExpirationDuringAck",
		Rule:     "An ack after the end of the lease is refused, even if nobody has taken the instance over.",
		Contract: "3.2, 5.1",
		run:      lockExpirationDuringAck,
	},
	Case{
		Name:     "TestReadCorruptedHistoryReturnsError",
		Rule:     "Reading a history that cannot be decoded is a permanent error, not a shorter history.",
		Contract: "3.5, 5.9",
		needs:    []need{needsCorruptHistory},
		run:      readCorruptedHistoryReturnsError,
	},
	Case{
		Name:     "TestReadWithExecutionCorruptedHistoryReturnsError",
		Rule:     "The same holds for reading the history of one execution.",
		Contract: "3.5, 5.9",
		needs:    []need{needsCorruptHistory},
		run:      readWithExecutionCorruptedHistoryReturnsError,
	},
)

func invalidLockTokenOnAck(t *trial) {
	err := t.tryAck(&core.OrchestrationItem{LockToken: "invalid-token"}, ack{exec: 1})
	t.wantLockLost("an ack with a made-up token", err)
	if s := err.Error(); !strings.Contains(s, "Invalid lock token") && !strings.Contains(s, "lock_token") {
		t.fatalf("the error %q contains neither %q nor %q", s, "Invalid lock token", "lock_token")
	}
}

func duplicateEventIDRejection(t *trial) {
	const id = "dup-event"
	t.enqueue(start(id))
	t.ack(t.turn(id), ack{events: []core.Event{started(id, 1)}})
	t.enqueue(start(id))
	err := t.tryAck(t.turn(id), ack{events: []core.Event{event(id, 1, core.ActivityScheduled{Name: "Other", Input: "x"})}})
	t.wantPermanent("an ack that repeats event 1", err)
	if !errors.Is(err, core.ErrDuplicateEvent) {
		t.errorf("the error %v is not core.ErrDuplicateEvent", err)
	}
	t.wantEvents("history", t.read(id), started(id, 1))
}

func missingInstanceMetadata(t *trial) {
	t.wantEvents("history of an unknown instance", t.read("no-such-instance"))
}

func corruptedSerializationData(t *trial) {
	t.noTurn("the store is empty")
	t.noWork(take{}, "the store is empty")
}

func lockExpirationDuringAck(t *trial) {
	t.enqueue(start("late"))
	turn := t.turnFor(t.lease(), "late")
	t.sleepPast(t.lease())
	err := t.tryAck(turn, ack{events: []core.Event{started("late", 1)}, work: []core.WorkItem{activity("late", 2)}})
	t.wantLockLost("an ack after the lease", err)
	t.wantEvents("history", t.read("late"))
	t.noWork(take{}, "the ack that scheduled it was refused")
	t.turn("late")
}

func readCorruptedHistoryReturnsError(t *trial) {
	t.create("corrupt")
	t.corrupt("corrupt")
	events, err := t.p.Read(t.ctx, core.ReadParams{Instance: "corrupt"})
	t.wantUndecodable("read", events, err)
}

func readWithExecutionCorruptedHistoryReturnsError(t *trial) {
	t.create("corrupt")
	t.corrupt("corrupt")
	events, err := t.p.ReadWithExecution(t.ctx, core.ReadWithExecutionParams{Instance: "corrupt", ExecutionID: 1})
	t.wantUndecodable("read_with_execution", events, err)
}

// corrupt makes the stored history of an instance undecodable.
func (t *trial) corrupt(instance string) {
	t.check("CorruptHistory of the harness", t.h.CorruptHistory(t.ctx, t.p, instance))
}

func (t *trial) wantUndecodable(what string, events []core.Event, err error) {
	if err == nil {
		t.fatalf("%s of a corrupt history returned %d events, want an error", what, len(events))
	}
	t.wantPermanent(what+" of a corrupt history", err)
}
