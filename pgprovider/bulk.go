package pgprovider

import (
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// bulkBatch is how many roots or instances one transaction of a bulk operation
// takes. One each costs ten times as much, and many more gain little.
const bulkBatch = 32

// inBatches calls f with parts of the ids until one fails.
func inBatches(ids []string, f func(batch []string) error) error {
	for batch := range slices.Chunk(ids, bulkBatch) {
		if err := f(batch); err != nil {
			return err
		}
	}
	return nil
}

// filter is a [core.InstanceFilter] as the arguments of a statement.
type filter struct {
	nothing bool // selects nothing at all
	ids     []string
	before  *int64
	limit   int64
}

func newFilter(f core.InstanceFilter) (filter, error) {
	if err := checkList("Filter.InstanceIDs", f.InstanceIDs); err != nil {
		return filter{}, err
	}
	args := filter{ids: f.InstanceIDs, before: timestampMs(f.CompletedBeforeMs), limit: core.DefaultBulkLimit}
	if f.Limit != nil {
		args.limit = int64(*f.Limit)
	}
	args.nothing = args.limit == 0 || (f.InstanceIDs != nil && len(f.InstanceIDs) == 0)
	return args, nil
}

// timestampMs returns a time in a range that PostgreSQL can compare with, nil
// for none.
func timestampMs(ms *uint64) *int64 {
	if ms == nil {
		return nil
	}
	v := int64(min(*ms, maxTimestampMs))
	return &v
}

// nilOnError returns the result of a call, none with an error.
func nilOnError[T any](result *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return result, nil
}
