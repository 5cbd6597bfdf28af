// Package memprovider is the in-memory provider: complete, fast, and gone when
// the process ends. It serves tests, demonstrations and benchmarks, and it is
// the reference that other providers can be compared with.
//
//	provider := memprovider.New(nil)
//	err := provider.EnqueueForOrchestrator(ctx, core.EnqueueForOrchestratorParams{
//		Item: core.StartOrchestrationItem{Instance: "order-7", Orchestration: "checkout", ExecutionID: 1},
//	})
//	item, err := provider.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
//		LockTimeout: 5 * time.Second,
//		PollTimeout: 30 * time.Second,
//	})
//
// A fetch waits up to its poll timeout and returns as soon as there is work:
// a new message, one whose delay has passed, or one whose lock has expired.
// All waiting goes through the clock of [Options], so that a test clock moves
// the provider in virtual time. The provider starts no goroutines and needs no
// closing.
//
// Everything handed in and out is copied: neither side sees what the other
// does to its slices, maps and pointers afterwards.
//
// Among instances, and among activities, the oldest that may run is served
// first. Both queues are indexed, so that a fetch costs the logarithm of what
// is queued and not a scan, whatever is locked, delayed, pinned to other
// versions, tagged, or bound to the sessions of others.
package memprovider
