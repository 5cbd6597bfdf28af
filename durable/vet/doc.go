// Package vet is an analyser that finds mistakes in orchestrations, for go vet,
// golangci-lint and whatever else takes a go/analysis analyser:
//
//	go install github.com/duroxide/duroxide-go/durable/vet/cmd/durablevet@latest
//	go vet -vettool="$(which durablevet)" ./...
//
// Package [github.com/duroxide/duroxide-go/durable/vet/golangci] is the plugin for
// golangci-lint.
//
// # Orchestration code
//
// Orchestration code is every function, method and literal with a parameter or a
// receiver of type *durable.Context, or of a struct with a field of that type, and
// the literals in it. Code that takes a context.Context, such as an activity, is
// not, even when it is written inside an orchestration.
//
// Such code runs again from the top whenever something happened that it waits
// for, in any process, and must ask for the same things in the same order each
// time. So these are reported, with what to use instead:
//
//   - goroutine: a go statement. Blocks take turns; goroutines do not.
//   - channel, select: sending, receiving, closing, and select. They block the
//     runtime, and chance decides which comes first.
//   - time: the clock, sleeping and timers of package time, and the local time
//     zone. Arithmetic on times is free.
//   - random: the generators of math/rand, crypto/rand, hash/maphash and
//     google/uuid. A generator made from a seed is free.
//   - environment: what differs between processes, such as os.Getenv and package
//     runtime.
//   - io: files, processes, sockets, HTTP, SQL, and every call that is given a
//     context.Context, as clients, repositories and activities are.
//   - log: printing and loggers other than ctx.Logger(). They repeat themselves on
//     every replay.
//   - sync: packages sync and sync/atomic. A lock that waits blocks the runtime.
//   - context: time-outs and cancellation of package context.
//   - global: writing a package variable, and reading one that some function other
//     than init assigns. Variables that never change, such as handles, tables and
//     sentinel errors, may be read.
//   - maporder: iteration over a map whose body makes a call with the Context, or
//     fills a slice or a string that is not sorted afterwards. To sort is to call a
//     function of package sort or with "sort" in its name.
//   - defer: a deferred call with the Context. Deferred functions also run when an
//     orchestration merely stops waiting. Future.Cancel may be deferred.
//   - future: a future that is dropped or assigned to _. It is given up when its
//     function returns.
//
// The word before the colon is the category of the diagnostic.
//
// # Helpers
//
// Functions that orchestration code calls, or uses as values, are followed through
// the package, other packages and other modules, and reported where orchestration
// code calls them: "calls label, which calls suffix, which calls rand.Text". Two
// rules do not go with them: a helper may take a lock for a moment, and what another
// module keeps in its package variables is its own affair. Calls of interface
// methods and of function values cannot be followed, and what a method changes
// behind its receiver is not seen.
//
// # Exceptions
//
// A comment with a reason permits its line; on a line of its own, the next; in a
// function's doc comment, the function:
//
//	region := os.Getenv("REGION") //durable:allow all processes of a store are in one region
//
// In a helper it serves all callers. Without a reason it is itself reported.
package vet
