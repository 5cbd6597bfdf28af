// Command hello is the smallest durable workflow: one orchestration, one
// activity, and the provider that keeps everything in memory. It needs nothing
// but this module, durable and core.
//
//	go run ./examples/hello Ada
package main
