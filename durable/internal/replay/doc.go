// Package replay runs one turn of an orchestration: history and messages in,
// new events and work items out. It does no I/O and knows no provider, so that
// golden histories alone can test it.
//
// A turn goes through six stages, one file each: prepare (messages become
// events), walk (the code runs and its actions are matched with what history
// records), convert (actions beyond history become events), quiesce (until
// nothing moves), finalise (what the turn means) and materialise (rows and work
// items). The rules are those of the family's runtime specification, parts 1.3
// to 1.14; numbers in comments refer to it.
package replay
