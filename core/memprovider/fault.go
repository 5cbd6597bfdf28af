package memprovider

import (
	"iter"
	"slices"
)

// CorruptHistory makes every event that is stored for the instance undecodable,
// as a damaged database would hold it. It is a fault for conformance tests:
// fetches then report the history in HistoryError, reads fail with
// [core.ErrUndecodable], and acknowledgements append as ever.
func (p *Provider) CorruptHistory(instance string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.instances[instance]; i != nil {
		for _, h := range i.histories {
			h.corrupt = true
		}
	}
}

// CorruptQueues makes every message and activity that is queued for the instance
// undecodable, as a damaged database would hold it. It is a fault for conformance
// tests: a fetched turn leaves such messages out and reports them in
// HistoryError, a fetch of such an activity fails with [core.ErrUndecodable] and
// leaves it locked.
func (p *Provider) CorruptQueues(instance string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.instances[instance]; i != nil {
		for m := range i.messages() {
			m.corrupt = true
		}
	}
	for id, list := range p.work.identities {
		for _, a := range list {
			a.corrupt = a.corrupt || id.Instance == instance
		}
	}
}

// MaxAttemptCount returns the highest attempt count of any message that waits
// for the instance or is locked, 0 without messages. It is for conformance
// tests: without it an attempt count shows only in a fetch, which raises it.
func (p *Provider) MaxAttemptCount(instance string) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var highest uint32
	if i := p.instances[instance]; i != nil {
		for m := range i.messages() {
			highest = max(highest, m.attempts)
		}
	}
	return highest
}

// messages are those that wait for the instance and those that are locked.
func (i *instance) messages() iter.Seq[*message] {
	return func(yield func(*message) bool) {
		for _, m := range slices.Concat(i.waiting.items, i.batch) {
			if !yield(m) {
				return
			}
		}
	}
}
