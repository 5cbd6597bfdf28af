// Package core is the contract between a durable-workflow runtime and its
// storage: the data types with their wire JSON, the [Provider] interface, the
// [Admin] capability, errors, limits and the clock.
//
// Authors of providers import core and nothing else of this project; the
// in-memory provider in core/memprovider is the reference. Authors of
// workflows import the durable module instead.
//
//	item, err := provider.FetchOrchestrationItem(ctx, core.FetchOrchestrationItemParams{
//		LockTimeout: 5 * time.Second,
//		PollTimeout: 30 * time.Second,
//	})
//	if err != nil || item == nil {
//		return err // nil item: no work
//	}
//
// The package needs the standard library only. Everything persisted is shared
// with processes in other languages, so the JSON is exact: order of keys,
// nulls and omissions, unsigned 64-bit integers, no HTML escaping.
package core
