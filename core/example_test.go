package core_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/duroxide/duroxide-go/core"
)

func ExampleDecodeEvent() {
	row := []byte(`{"event_id":3,"source_event_id":2,"instance_id":"order-17","execution_id":1,` +
		`"timestamp_ms":1700000000123,"duroxide_version":"0.1.32","type":"ActivityCompleted","result":"\"paid\""}`)
	event, err := core.DecodeEvent(row)
	if err != nil {
		log.Fatal(err)
	}
	switch data := event.Data.(type) {
	case core.ActivityCompleted:
		fmt.Printf("event %d answers %d: %s\n", event.ID, *event.SourceID, data.Result)
	case core.ActivityFailed:
		fmt.Println("failed:", data.Details)
	}
	// Output: event 3 answers 2: "paid"
}

func ExampleDecodeEvent_error() {
	_, err := core.DecodeEvent([]byte(`{"event_id":1.5}`))
	fmt.Println(err)
	fmt.Println(errors.Is(err, core.ErrUndecodable))
	// Output:
	// undecodable event: field event_id: want an unsigned 64-bit integer
	// true
}

func ExampleEncodeWorkItem() {
	item, err := core.EncodeWorkItem(core.QueueMessageItem{Instance: "order-17", Name: "inbox", Data: "<hello>"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(item))
	// Output: {"QueueMessage":{"instance":"order-17","name":"inbox","data":"<hello>"}}
}

// countingProvider decorates a provider and offers Unwrap.
type countingProvider struct {
	core.Provider
	enqueued int
}

func (p *countingProvider) EnqueueForWorker(ctx context.Context, params core.EnqueueForWorkerParams) error {
	p.enqueued++
	return p.Provider.EnqueueForWorker(ctx, params)
}

func (p *countingProvider) Unwrap() core.Provider { return p.Provider }

func ExampleAbility() {
	type depthReader interface {
		GetQueueDepths(ctx context.Context) (*core.QueueDepths, error)
	}
	var provider core.Provider = &countingProvider{Provider: depthsProvider{depth: 3}}

	// The decorator does not implement it, the provider inside does.
	if admin, ok := core.Ability[depthReader](provider); ok {
		depths, err := admin.GetQueueDepths(context.Background())
		fmt.Println(depths.OrchestratorQueue, err)
	}
	// Output: 3 <nil>
}

func ExampleTagFilter() {
	filter := core.TagFilter{Mode: core.TagsDefaultAnd, Tags: []string{"gpu"}}
	if err := filter.Validate(); err != nil {
		log.Fatal(err)
	}
	gpu, cpu := "gpu", "cpu"
	fmt.Println(filter.Matches(nil), filter.Matches(&gpu), filter.Matches(&cpu))
	// Output: true true false
}

func ExampleVersion_Packed() {
	v := core.MustParseVersion("0.1.32-rc.1")
	fmt.Println(v.Packed(), core.UpTo(core.MustParseVersion("0.1.32")).Supports(v))
	// Output: 1032 true
}
