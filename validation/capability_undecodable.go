package validation

import (
	"strings"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// wantHistoryError checks an item whose history cannot be decoded.
func (t *trial) wantHistoryError(turn *core.OrchestrationItem) {
	if turn.HistoryError == "" {
		t.fatalf("fetched a corrupt history without a history error")
	}
	t.wantEvents("history", turn.History)
	wantEqual(t, "number of values in the snapshot", len(turn.KVSnapshot), 0)
	t.wantMessages(turn, raised(turn.Instance, "go"))
}

func fetchCorruptedHistoryFilteredVsUnfiltered(t *trial) {
	t.pin("corrupt", "1.0.0")
	t.corrupt("corrupt")
	t.noTurnWith(between("2.0.0", "2.9.9"), "the version is below the range")
	turn := t.turn("corrupt")
	t.wantHistoryError(turn)
	t.wantAttempt(turn.AttemptCount, 1)
	t.noTurn("the instance is locked")
}

func (t *trial) attemptsOnCorruptHistory(cycles uint32) {
	t.pin("corrupt", "1.0.0")
	t.corrupt("corrupt")
	const lease = 50 * time.Millisecond
	for range cycles {
		turn := t.turnFor(lease, "corrupt")
		t.wantHistoryError(turn)
		t.abandon(turn, 0, false) // an abandon works after the lease, too
		t.sleepPast(0)
	}
	n, err := t.h.MaxAttemptCount(t.ctx, t.p, "corrupt")
	t.check("MaxAttemptCount of the harness", err)
	if n < cycles {
		t.fatalf("after %d fetches the stored attempt count is %d", cycles, n)
	}
}

func fetchFilterAppliedBeforeHistoryDeserialization(t *trial) {
	t.pin("corrupt", "99.0.0")
	t.corrupt("corrupt")
	t.noTurnWith(between("1.0.0", "2.0.0"), "the version is above the range")
	t.wantHistoryError(t.turn("corrupt"))
}

func ackAppendsEventToCorruptedHistory(t *trial) {
	const id, text = "corrupt", "history deserialization failed"
	t.pin(id, "1.0.0")
	t.corrupt(id)
	turn := t.turn(id)
	t.ack(turn, ack{
		events: []core.Event{event(id, core.PoisonEventID, core.OrchestrationFailed{
			Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: text},
		})},
		meta: core.ExecutionMetadata{Status: core.StatusFailed, Output: ptr(text)},
	})
	info := t.info(id)
	if info.Status != core.StatusFailed || info.Output == nil || !strings.Contains(*info.Output, "deserialization failed") {
		t.fatalf("get_instance_info: %+v, want Failed with the text of the ack", *info)
	}
}
