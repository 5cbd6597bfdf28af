// Package durable is what the author of a workflow imports: orchestrations are
// ordinary Go functions that survive crashes, deploys and weeks of waiting.
//
//	const Greet = durable.Activity[string, string]("greet")
//	const Hello = durable.Orchestration[string, string]("hello")
//
//	reg := durable.NewRegistry()
//	err := reg.Add(
//		Greet.With(func(ctx context.Context, name string) (string, error) { return "Hello, " + name + "!", nil }),
//		Hello.With(func(ctx *durable.Context, name string) (string, error) { return Greet.Call(ctx, name) }),
//	)
//	rt, err := durable.NewRuntime(provider, reg, nil)
//	err = rt.Start(ctx)
//	run, err := Hello.Start(ctx, durable.NewClient(provider, nil), "greet-1", "Bob")
//	out, err := run.Wait(ctx) // "Hello, Bob!"
//
// An orchestration runs again from the top whenever something happened that it
// waits for; what history records is repeated, not done again. Its code must
// therefore be deterministic: it decides only from its input and from what its
// [Context] gives it. Everything that touches the world is an [Activity], which
// runs at least once, in any process that shares the store.
//
// docs/guide.md teaches it from here to changing code that runs.
//
// The command durablevet of durable/vet reports code that is not deterministic,
// and package durabletest tests orchestrations, also against the histories of
// instances that a release must not break.
//
// Waiting executions stay suspended in memory, so that a turn costs what is new
// and not the length of the history; see [Options.WarmInstances]. A start or an
// activity's result can be part of a database transaction of the caller's; see
// [Client.StartTx] and [InTx].
//
// What a runtime and a client do can be counted; see [Observer] and
// [ClientObserver].
//
// The module needs a provider: pgprovider for PostgreSQL, sqliteprovider for one
// file, core/memprovider for tests.
package durable
