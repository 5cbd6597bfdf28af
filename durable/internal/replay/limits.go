package replay

import (
	"fmt"

	"github.com/duroxide/duroxide-go/core"
)

// limitViolation returns the first limit that the turn breaks, in the family's
// order, or nothing. Limits are inclusive.
func (t *turn) limitViolation() string {
	var status *string
	for _, ev := range t.delta {
		if d, ok := ev.Data.(core.CustomStatusUpdated); ok && d.Status != nil {
			status = d.Status
		}
	}
	if status != nil && len(*status) > core.MaxCustomStatusBytes {
		return fmt.Sprintf("Custom status size (%d bytes) exceeds limit (%d bytes)", len(*status), core.MaxCustomStatusBytes)
	}
	for _, ev := range t.delta {
		if d, ok := ev.Data.(core.ActivityScheduled); ok && d.Tag != nil && len(*d.Tag) > core.MaxTagBytes {
			return fmt.Sprintf("Activity '%s' tag size (%d bytes) exceeds limit (%d bytes)", d.Name, len(*d.Tag), core.MaxTagBytes)
		}
	}
	setsKeys := false
	for _, ev := range t.delta {
		d, ok := ev.Data.(core.KeyValueSet)
		if !ok {
			continue
		}
		setsKeys = true
		if len(d.Value) > core.MaxKVValueBytes {
			return fmt.Sprintf("KV value for key '%s' (%d bytes) exceeds limit (%d bytes)", d.Key, len(d.Value), core.MaxKVValueBytes)
		}
	}
	// Keys count over the whole execution, but only a turn that sets any can break the limit.
	if n := len(t.rec.keys); setsKeys && n > core.MaxKVKeys {
		return fmt.Sprintf("KV key count (%d) exceeds limit (%d)", n, core.MaxKVKeys)
	}
	return ""
}

// breakLimit fails the execution: the rows of the turn stay, its work does
// not. A parent is told, which the family's first runtime forgot.
func (t *turn) breakLimit(violation string) Output {
	details := core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: violation}
	t.nextID = t.rec.maxID + 1
	t.push(nil, core.OrchestrationFailed{Details: details})
	out := Output{Result: Failed, Failure: details}
	t.notifyParent(&out)
	return out
}
