// Package validation is the conformance suite for providers: it says whether a
// [core.Provider] keeps the contract that runtimes of the family rely on. The
// author of a provider imports core and this package and nothing else; the
// whole test of a provider is
//
//	func TestConformance(t *testing.T) {
//		validation.Run(t, func(t *testing.T) validation.Harness {
//			return validation.Harness{
//				NewProvider: func(ctx context.Context) (core.Provider, error) {
//					return open(t, ctx) // a store of its own
//				},
//				LongPolls: true,
//			}
//		})
//	}
//
// The suite is a table of [Case]s, see [Cases]: the name, which is the same in
// every language of the family, the rule in words, and the parts of the contract
// that it comes from. Every case has a fresh, isolated store and its own
// deadline. Cases run side by side.
//
// A case that needs a hook or an ability that the provider does not offer is
// skipped with the reason; [Harness.RequireAll] turns such skips into failures.
// Four cases come in two halves, for providers that wait in a fetch and for
// those that do not. The half that does not apply is reported as such, so that
// every provider is held to 231 of the 233 cases.
//
// # Beyond the catalogue
//
// [Extra] holds what the family's catalogue leaves out: random histories against
// a plain model, a failure shrunk to the fewest steps; many callers at once;
// callers that go away in the middle of each method; two processes whose clocks
// differ, for which the harness needs WithClockOffset; and the gaps that the
// catalogue names. Cases about optional abilities are not applicable to a
// provider without them; those about transactions of the caller need BeginTx, too.
// Reports count all these cases apart. The results of the random ones tell their
// seed, which DUROXIDE_VALIDATION_SEED repeats, and DUROXIDE_VALIDATION_SCALE
// lengthens them.
//
// # With an engine
//
// The cases of the category race_replay drive a runtime on top of the provider,
// which [Harness.StartEngine] starts. Their orchestrations are written against
// [EngineContext], so that a small adapter is all that a runtime needs.
//
// # Without package testing
//
// [Check] runs the suite from any program and returns a [Report], which is plain
// data and encodes to JSON. A provider in another process or language is driven
// through an implementation of [core.Provider] that forwards the calls.
//
// # Time
//
// Cases wait for locks to expire, in real time. A case whose steps were too slow
// for the time that they had, on a machine that is busy with something else, is
// run again with a fresh store before anything is called a failure. Random
// histories let time pass by setting a provider's clock, if the harness has
// WithClockOffset, and then depend on no machine's speed.
package validation
