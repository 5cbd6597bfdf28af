package validation

import "time"

var poisonMessage = inCategory("poison_message",
	Case{
		Name:     "TestOrchestrationIgnoreAttemptPreservesHiddenStart",
		Rule:     "Taking back an attempt touches only the messages of that fetch, not one that was hidden meanwhile.",
		Contract: "3.3, 5.2",
		run:      orchestrationIgnoreAttemptPreservesHiddenStart,
	},
	Case{
		Name:     "TestOrchestrationDelayedAbandonPreservesUnlockedRows",
		Rule:     "A delayed abandon hides only the messages of that fetch, not one that came during the turn.",
		Contract: "3.3, 5.3",
		run:      orchestrationDelayedAbandonPreservesUnlockedRows,
	},
	Case{
		Name:     "TestOrchestrationAttemptCountStartsAtOne",
		Rule:     "The first fetch of a message is attempt 1.",
		Contract: "3.1, 5.2",
		run:      orchestrationAttemptCountStartsAtOne,
	},
	Case{
		Name:     "TestOrchestrationAttemptCountIncrementsOnRefetch",
		Rule:     "Every further fetch of a message counts one more.",
		Contract: "3.1, 5.2",
		run:      orchestrationAttemptCountIncrementsOnRefetch,
	},
	Case{
		Name:     "TestWorkerAttemptCountStartsAtOne",
		Rule:     "The first fetch of an activity is attempt 1.",
		Contract: "3.8, 5.2",
		run:      workerAttemptCountStartsAtOne,
	},
	Case{
		Name:     "TestWorkerAttemptCountIncrementsOnLockExpiry",
		Rule:     "An attempt whose lease ended stays counted.",
		Contract: "3.8, 5.2",
		run:      workerAttemptCountIncrementsOnLockExpiry,
	},
	Case{
		Name:     "TestAttemptCountIsPerMessage",
		Rule:     "Every activity has a count of its own.",
		Contract: "5.2",
		run:      attemptCountIsPerMessage,
	},
	Case{
		Name:     "TestAbandonWorkItemIgnoreAttemptDecrements",
		Rule:     "An abandon that ignores the attempt takes exactly that attempt of the activity back.",
		Contract: "3.11, 5.2",
		run:      abandonWorkItemIgnoreAttemptDecrements,
	},
	Case{
		Name:     "TestAbandonOrchestrationItemIgnoreAttemptDecrements",
		Rule:     "An abandon that ignores the attempt takes exactly that attempt of the messages back.",
		Contract: "3.3, 5.2",
		run:      abandonOrchestrationItemIgnoreAttemptDecrements,
	},
	Case{
		Name:     "TestIgnoreAttemptNeverGoesNegative",
		Rule:     "However often attempts are taken back, the next one is attempt 1.",
		Contract: "3.3, 3.11, 5.2",
		run:      ignoreAttemptNeverGoesNegative,
	},
	Case{
		Name:     "TestMaxAttemptCountAcrossMessageBatch",
		Rule:     "A batch reports the highest count of its messages; a new message does not lower it.",
		Contract: "3.1, 5.2",
		run:      maxAttemptCountAcrossMessageBatch,
	},
)

func orchestrationIgnoreAttemptPreservesHiddenStart(t *trial) {
	const id, delay = "hidden-start", time.Second
	t.create(id)
	t.enqueue(start(id))
	turn := t.turn(id)
	t.wantAttempt(turn.AttemptCount, 1)
	t.abandon(turn, 0, false)
	turn = t.turn(id)
	t.wantAttempt(turn.AttemptCount, 2)
	w := t.window("the delay", delay)
	t.abandon(turn, delay, false)

	t.enqueue(queued(id, "a"))
	turn = t.turn(id)
	t.wantMessages(turn, queued(id, "a"))
	t.wantAttempt(turn.AttemptCount, 1)
	t.abandon(turn, 0, true)
	w.close()

	t.sleepPast(delay)
	turn = t.turn(id)
	t.wantMessages(turn, start(id), queued(id, "a"))
	t.wantAttempt(turn.AttemptCount, 3)
}

func orchestrationDelayedAbandonPreservesUnlockedRows(t *trial) {
	const id, delay = "unlocked", 5 * time.Second
	t.create(id)
	t.enqueue(queued(id, "locked"))
	turn := t.turn(id)
	t.enqueue(queued(id, "unlocked"))
	w := t.window("the delay", delay)
	t.abandon(turn, delay, false)
	turn = t.turn(id)
	t.wantMessages(turn, queued(id, "unlocked"))
	t.wantAttempt(turn.AttemptCount, 1)
	w.close()
}

func orchestrationAttemptCountStartsAtOne(t *trial) {
	t.enqueue(start("counted"))
	t.wantAttempt(t.turn("counted").AttemptCount, 1)
}

func orchestrationAttemptCountIncrementsOnRefetch(t *trial) {
	t.enqueue(start("counted"))
	for n := uint32(1); n <= 3; n++ {
		turn := t.turn("counted")
		t.wantAttempt(turn.AttemptCount, n)
		t.abandon(turn, 0, false)
	}
}

func workerAttemptCountStartsAtOne(t *trial) {
	t.enqueue(activity("counted", 1))
	t.wantAttempt(t.work(1, take{}).AttemptCount, 1)
}

func workerAttemptCountIncrementsOnLockExpiry(t *trial) {
	t.enqueue(activity("counted", 1))
	t.wantAttempt(t.work(1, take{lease: time.Second}).AttemptCount, 1)
	t.sleepPast(time.Second)
	t.wantAttempt(t.work(1, take{}).AttemptCount, 2)
}

func attemptCountIsPerMessage(t *trial) {
	t.enqueue(activity("counted", 1), activity("counted", 2))
	first := t.work(1, take{})
	t.wantAttempt(first.AttemptCount, 1)
	t.wantAttempt(t.work(2, take{}).AttemptCount, 1)
}

func abandonWorkItemIgnoreAttemptDecrements(t *trial) {
	t.enqueue(activity("counted", 1))
	for _, attempt := range []struct {
		want   uint32
		ignore bool
	}{{1, false}, {2, true}, {2, false}} {
		item := t.work(1, take{})
		t.wantAttempt(item.AttemptCount, attempt.want)
		t.abandonWork(item, 0, attempt.ignore)
	}
}

func abandonOrchestrationItemIgnoreAttemptDecrements(t *trial) {
	t.enqueue(start("counted"))
	for _, attempt := range []struct {
		want   uint32
		ignore bool
	}{{1, false}, {2, true}, {2, false}} {
		turn := t.turn("counted")
		t.wantAttempt(turn.AttemptCount, attempt.want)
		t.abandon(turn, 0, attempt.ignore)
	}
}

func ignoreAttemptNeverGoesNegative(t *trial) {
	t.enqueue(activity("counted", 1), start("counted"))
	for range 3 {
		item := t.work(1, take{})
		t.wantAttempt(item.AttemptCount, 1)
		t.abandonWork(item, 0, true)
		turn := t.turn("counted")
		t.wantAttempt(turn.AttemptCount, 1)
		t.abandon(turn, 0, true)
	}
}

func maxAttemptCountAcrossMessageBatch(t *trial) {
	const id = "batch"
	t.enqueue(start(id))
	t.abandon(t.turn(id), 0, false)
	turn := t.turn(id)
	t.wantAttempt(turn.AttemptCount, 2)
	t.enqueue(completed(id, 1))
	t.abandon(turn, 0, false)
	turn = t.turn(id)
	t.wantMessages(turn, start(id), completed(id, 1))
	t.wantAttempt(turn.AttemptCount, 3)
}
