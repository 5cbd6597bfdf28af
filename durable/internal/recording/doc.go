// Package recording is the file format of recorded histories: what
// durable.Client.ExportHistory writes and durabletest.Replay reads.
//
// A file is JSON lines. It holds executions one after the other, each a header
// and then its events, one a line, exactly as they are stored. The
// concatenation of two files is a file.
//
//	{"format":"duroxide-history/1","instance_id":"order-17","execution_id":1,"orchestration_name":"checkout","orchestration_version":"1.0.0","redacted":false,"kv":{},"event_count":2}
//	{"event_id":1,"source_event_id":null,"instance_id":"order-17",…,"type":"OrchestrationStarted",…}
//	{"event_id":2,…,"type":"ActivityScheduled",…}
//
// The header's kv is the key-value state that earlier executions of the
// instance left, each value with the time it was set, epoch milliseconds or 0.
package recording
