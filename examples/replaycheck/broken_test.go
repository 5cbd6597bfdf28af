package replaycheck

import (
	"fmt"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

// Activities that the next release might have.
const (
	remindByPost = durable.Activity[Customer, bool]("remind by post")
	checkCard    = durable.Activity[Customer, bool]("check card")
)

// renamed calls an activity by another name.
func renamed(ctx *durable.Context, c Customer) (string, error) {
	ctx.Sleep(25 * day)
	_, err := remindByPost.Call(ctx, c)
	return "", err
}

// inserted has one more step.
func inserted(ctx *durable.Context, c Customer) (string, error) {
	ctx.Sleep(25 * day)
	if _, err := Remind.Call(ctx, c); err != nil {
		return "", err
	}
	if _, err := checkCard.Call(ctx, c); err != nil {
		return "", err
	}
	_, err := durable.WaitEvent[string](ctx, CancelEvent).Await(ctx)
	return "", err
}

// returnsEarly ends with the reminder.
func returnsEarly(ctx *durable.Context, c Customer) (string, error) {
	ctx.Sleep(25 * day)
	_, err := Remind.Call(ctx, c)
	return "reminded", err
}

// reports prints what a release does with a trial whose customer was reminded.
func reports(release string, code ...durable.Registration) {
	reg := durable.NewRegistry()
	if err := Register(reg); err != nil {
		panic(err)
	}
	if err := reg.Replace(code...); err != nil {
		panic(err)
	}
	report, err := durabletest.Check(reg, nil, "testdata/histories/reminded.jsonl")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %d of %d executions broken\n", release, len(report.Differences), report.Executions)
	for _, difference := range report.Differences {
		fmt.Println(difference)
	}
}

// Three releases break the trials that run. The last one keeps the code for them
// and has the new step in a version of its own, which new trials take.
func Example_brokenRelease() {
	reports("an activity renamed", Trial.With(renamed))
	reports("an activity inserted", Trial.With(inserted))
	reports("an early return", Trial.With(returnsEarly))
	reports("a second version", Trial.Version("2.0.0").With(inserted))
	// Output:
	// an activity renamed: 1 of 1 executions broken
	// testdata/histories/reminded.jsonl: instance reminded, execution 1 of trial 1.0.0: turn 2, event 4
	//     recorded: activity "remind"
	//     the code: activity "remind by post", at broken_test.go:19
	// an activity inserted: 1 of 1 executions broken
	// testdata/histories/reminded.jsonl: instance reminded, execution 1 of trial 1.0.0: turn 3, event 6
	//     recorded: a wait for event "cancel"
	//     the code: activity "check card", at broken_test.go:29
	// an early return: 1 of 1 executions broken
	// testdata/histories/reminded.jsonl: instance reminded, execution 1 of trial 1.0.0: turn 3, event 6
	//     recorded: a wait for event "cancel"
	//     the code: returned, after activity "remind" (event 4, at broken_test.go:39)
	// a second version: 0 of 1 executions broken
}
