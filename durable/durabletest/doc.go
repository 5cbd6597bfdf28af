// Package durabletest tests orchestrations: in virtual time, with activities
// replaced by mocks, and against the histories of instances that a release
// must not break.
//
// # Virtual time
//
// [Run] gives a test a runtime on an empty in-memory store inside a bubble of
// package testing/synctest. While everything waits, the time jumps to the next
// moment at which something happens: a workflow that waits for thirty days
// takes milliseconds, and timers, back-off, lock expiry and what the test
// itself sleeps move with the same clock.
//
//	durabletest.Run(t, reg, nil, func(t *testing.T, env *durabletest.Env) {
//		env.Mock(Charge.With(func(context.Context, Order) (string, error) { return "r-1", nil }))
//		run := durabletest.Start(env, Checkout, "order-1", Order{Cents: 4250})
//		env.Raise("order-1", "approve", "Ada")
//		receipt, err := durabletest.Wait(env, run)
//		…
//	})
//
// The rules of a bubble apply to what runs in it. Time stands still while a
// goroutine waits for something outside, such as the network or a channel that
// was made before: an idle HTTP connection holds it for ever. So activities
// that do I/O are better mocked.
//
// # Recorded histories
//
// The next release must go on with the instances that the last one left. Record
// some of them ([durable.Client.ExportHistory], or duroxide export for a sample
// of a live system), keep the files in testdata, and
//
//	durabletest.Replay(t, reg, "testdata/histories")
//
// fails with what is recorded and what the code does instead, and where. A
// program that calls [CheckMain] does the same for duroxide export --check,
// which asks a live system in one step whether a release breaks it.
//
// [Shuffle] needs no files: it replays what a test just ran, from every turn, and
// finds code that does not repeat itself.
package durabletest
