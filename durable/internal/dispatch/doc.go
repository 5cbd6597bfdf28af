// Package dispatch moves work between a provider and user code: it fetches
// instances and activities, runs them, keeps their locks alive, and
// acknowledges what came of it. Only this package of the runtime knows time,
// goroutines and providers.
//
// What a fetched instance leads to is decided by [Turns], which does no I/O of
// its own; the loops around it are in [Dispatcher].
package dispatch
