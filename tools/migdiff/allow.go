package main

import "slices"

// exception lets one object break one rule in one migration.
type exception struct {
	version      int
	rule, object string
	reason       string
}

const sharedIndex = "the shared lineage builds it in the transaction of its version; a schema that is this old " +
	"is upgraded while nobody works"

// exceptions are those that we need.
var exceptions = []exception{
	{2, "lock", "idx_instances_parent", sharedIndex},
	{4, "lock", "idx_worker_queue_session_id", sharedIndex},
	{6, "lock", "idx_worker_queue_tag", sharedIndex},
}

// excuse takes out what has an exception, and adds the exceptions that nothing
// needed if all migrations were looked at. It returns how many were needed.
func excuse(all []finding, list []exception, whole bool) (left []finding, excused int) {
	used := make([]bool, len(list))
	for _, f := range all {
		i := slices.IndexFunc(list, func(e exception) bool {
			return !f.note && e.version == f.version && e.rule == f.rule && e.object == f.object
		})
		if i < 0 {
			left = append(left, f)
			continue
		}
		used[i] = true
		excused++
	}
	for i, e := range list {
		if whole && !used[i] {
			left = append(left, finding{
				file: "(allow.go)", version: e.version, rule: e.rule, object: e.object,
				text: "nothing needs the exception for " + e.object + " any more",
			})
		}
	}
	return left, excused
}
