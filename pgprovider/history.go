package pgprovider

import (
	"context"

	"github.com/duroxide/duroxide-go/core"
)

const (
	opRead              = "read"
	opReadWithExecution = "read_with_execution"
	opAppend            = "append_with_execution"

	sqlRead query = `
SELECT out_event_data FROM @.fetch_history($1::text)`
	sqlReadWithExecution query = `
SELECT out_event_data FROM @.fetch_history_with_execution($1::text, $2::bigint)`
	sqlAppend query = `
SELECT @.append_history($1::text, $2::bigint, $3::text::jsonb, $4::bigint)`
)

// Read implements [core.HistoryStore].
func (p *Provider) Read(ctx context.Context, params core.ReadParams) ([]core.Event, error) {
	if err := checkText("Instance", params.Instance); err != nil {
		return nil, classify(ctx, opRead, err)
	}
	return p.readEvents(ctx, opRead, sqlRead, params.Instance)
}

// ReadWithExecution implements [core.HistoryStore].
func (p *Provider) ReadWithExecution(ctx context.Context, params core.ReadWithExecutionParams) ([]core.Event, error) {
	return p.readExecution(ctx, opReadWithExecution, params.Instance, params.ExecutionID)
}

func (p *Provider) readExecution(ctx context.Context, op, instance string, execution uint64) ([]core.Event, error) {
	if err := checkText("Instance", instance); err != nil {
		return nil, classify(ctx, op, err)
	}
	if checkID("ExecutionID", execution) != nil {
		return nil, nil // nothing can be stored under it
	}
	return p.readEvents(ctx, op, sqlReadWithExecution, instance, int64(execution))
}

func (p *Provider) readEvents(ctx context.Context, op string, q query, args ...any) ([]core.Event, error) {
	var rows []string
	if err := p.run(ctx, call{op: op, query: q, args: args, read: column(&rows)}); err != nil {
		return nil, err
	}
	events, err := decodeEvents(rows)
	if err != nil {
		return nil, core.Permanent(op, err)
	}
	return events, nil
}

// AppendWithExecution implements [core.HistoryStore]. An event whose id exists
// is ignored.
func (p *Provider) AppendWithExecution(ctx context.Context, params core.AppendWithExecutionParams) error {
	if err := checkText("Instance", params.Instance); err != nil {
		return classify(ctx, opAppend, err)
	}
	if err := checkID("ExecutionID", params.ExecutionID); err != nil {
		return classify(ctx, opAppend, err)
	}
	events, err := encodeEvents("Events", params.Events)
	if err != nil {
		return classify(ctx, opAppend, err)
	}
	if len(params.Events) == 0 {
		return p.checkOpen(opAppend)
	}
	return p.run(ctx, call{
		op: opAppend, query: sqlAppend,
		args: []any{params.Instance, int64(params.ExecutionID), events, p.nowMs()},
	})
}
