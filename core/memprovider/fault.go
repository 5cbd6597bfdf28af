package memprovider

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

// MaxAttemptCount returns the highest attempt count of any message that waits
// for the instance or is locked, 0 without messages. It is for conformance
// tests: without it an attempt count shows only in a fetch, which raises it.
func (p *Provider) MaxAttemptCount(instance string) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var highest uint32
	if i := p.instances[instance]; i != nil {
		for _, m := range i.waiting.items {
			highest = max(highest, m.attempts)
		}
		for _, m := range i.batch {
			highest = max(highest, m.attempts)
		}
	}
	return highest
}
