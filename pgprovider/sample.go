package pgprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opSampleInstances = "sample_instances"

	// The hash spreads the sample over young and old instances, and finds the
	// same ones again.
	sqlSampleInstances query = `
SELECT instance_id
  FROM (SELECT i.instance_id, i.orchestration_name, i.orchestration_version,
               row_number() OVER (PARTITION BY i.orchestration_name, i.orchestration_version
                                      ORDER BY md5(i.instance_id), i.instance_id) AS place
          FROM @.instances i
          JOIN @.executions e ON e.instance_id = i.instance_id AND e.execution_id = i.current_execution_id
         WHERE $1::text = '' OR e.status = $1::text) placed
 WHERE place <= $2::bigint
 ORDER BY orchestration_name, orchestration_version, place`
)

// SampleInstances returns the ids of up to n instances of each version of each
// orchestration, ordered by these. The same instances are chosen each time, as
// if at random. An empty status takes all; otherwise that of the current
// execution must be the same. It only reads, though it looks at every instance.
func (p *Provider) SampleInstances(ctx context.Context, status core.ExecutionStatus, n uint32) ([]string, error) {
	if err := checkText("status", string(status)); err != nil {
		return nil, classify(ctx, opSampleInstances, err)
	}
	return p.listIDs(ctx, opSampleInstances, sqlSampleInstances, string(status), int64(n))
}
