package dispatch

import (
	"container/list"
	"math/rand/v2"
	"sync"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// WarmConfig bounds the executions that stay suspended between their turns.
type WarmConfig struct {
	// Instances and Bytes are the most that stay; none with 0 instances.
	Instances, Bytes int
	// CheckEvery is how many ends of resumed executions go by for one that is
	// replayed from its history and compared.
	CheckEvery int
}

// WarmStats counts what became of turns of executions with a history.
type WarmStats struct {
	// Hits are the turns that were resumed, Misses those that were replayed.
	Hits, Misses uint64
	// Evictions are the suspended executions that made room for others.
	Evictions uint64
	// Checks are the resumed executions that were replayed too, Mismatches
	// those that came out differently.
	Checks, Mismatches uint64
	// Instances are suspended now, with Bytes of memory by estimate.
	Instances, Bytes int
}

// warmCache keeps suspended executions between turns, the least recently used
// one first to go. It is safe for concurrent use.
type warmCache struct {
	cfg WarmConfig

	mu      sync.Mutex
	entries map[string]*list.Element // by instance
	recent  *list.List               // of *warmEntry, the most recent first
	off     map[string]bool          // orchestrations that failed the check
	closed  bool
	stats   WarmStats
}

// warmEntry is a suspended execution and what must be true of the stored one
// for it to be trusted.
type warmEntry struct {
	instance  string
	execution uint64
	token     string
	bytes     int
	suspended *replay.Suspended
}

func newWarmCache(cfg WarmConfig) *warmCache {
	return &warmCache{cfg: cfg, entries: map[string]*list.Element{}, recent: list.New(), off: map[string]bool{}}
}

// take hands out the suspended execution of a fetched instance, nil if there is
// none that can be trusted. A deleted instance that was started again repeats
// execution and event ids, and so may a promoted replica that lost its tail;
// only the token says that the stored turn is the one after which the code was
// suspended.
func (c *warmCache) take(item *core.OrchestrationItem) *replay.Suspended {
	c.mu.Lock()
	var e *warmEntry
	if element := c.entries[item.Instance]; element != nil {
		e = c.remove(element)
	}
	trusted := e != nil && e.token == item.TurnToken && e.execution == item.ExecutionID &&
		e.suspended.LastEventID() == item.LastEventID && resumable(item)
	if trusted {
		c.stats.Hits++
	} else if item.LastEventID > 0 {
		c.stats.Misses++
	}
	c.mu.Unlock()
	switch {
	case trusted:
		return e.suspended
	case e != nil:
		e.suspended.Close()
	}
	return nil
}

// maxWarmAttempts is the last attempt of a batch that is resumed; after that
// whatever went wrong gets the whole history.
const maxWarmAttempts = 2

// resumable reports whether a batch only answers what the execution asked for,
// or tells it something. Starts need the history to be judged.
func resumable(item *core.OrchestrationItem) bool {
	if item.AttemptCount > maxWarmAttempts || item.HistoryError != "" {
		return false
	}
	for _, m := range item.Messages {
		switch m.(type) {
		case core.StartOrchestrationItem, core.ContinueAsNewItem, core.ActivityExecuteItem:
			return false
		}
	}
	return true
}

// put keeps an execution whose turn is about to be stored under the token.
func (c *warmCache) put(item *core.OrchestrationItem, execution uint64, s *replay.Suspended) {
	e := &warmEntry{instance: item.Instance, execution: execution, token: item.LockToken, bytes: s.Bytes(), suspended: s}
	var gone []*replay.Suspended
	c.mu.Lock()
	if c.closed || c.off[s.Name()] || e.bytes > c.cfg.Bytes {
		gone = append(gone, s)
	} else {
		if old := c.entries[item.Instance]; old != nil {
			gone = append(gone, c.remove(old).suspended)
		}
		c.entries[item.Instance] = c.recent.PushFront(e)
		c.stats.Instances++
		c.stats.Bytes += e.bytes
		for c.stats.Instances > c.cfg.Instances || c.stats.Bytes > c.cfg.Bytes {
			gone = append(gone, c.remove(c.recent.Back()).suspended)
			c.stats.Evictions++
		}
	}
	c.mu.Unlock()
	closeAll(gone)
}

// discard ends what put kept of a turn that could not be stored, unless another
// turn has taken it already.
func (c *warmCache) discard(item *core.OrchestrationItem) {
	var gone []*replay.Suspended
	c.mu.Lock()
	if element := c.entries[item.Instance]; element != nil && element.Value.(*warmEntry).token == item.LockToken {
		gone = append(gone, c.remove(element).suspended)
	}
	c.mu.Unlock()
	closeAll(gone)
}

// remove takes an entry out; c.mu is held.
func (c *warmCache) remove(element *list.Element) *warmEntry {
	e := c.recent.Remove(element).(*warmEntry)
	delete(c.entries, e.instance)
	c.stats.Instances--
	c.stats.Bytes -= e.bytes
	return e
}

// close ends everything that is suspended; what comes later is not kept.
func (c *warmCache) close() {
	var gone []*replay.Suspended
	c.mu.Lock()
	c.closed = true
	for c.recent.Len() > 0 {
		gone = append(gone, c.remove(c.recent.Back()).suspended)
	}
	c.mu.Unlock()
	closeAll(gone)
}

// closeAll runs deferred functions of user code, so no lock may be held.
func closeAll(suspended []*replay.Suspended) {
	for _, s := range suspended {
		s.Close()
	}
}

// checks decides whether the end of a resumed execution is checked.
func (c *warmCache) checks() bool {
	return c.cfg.CheckEvery > 0 && rand.IntN(c.cfg.CheckEvery) == 0
}

// checked notes the result of a check. An orchestration whose code does not do
// the same when it is replayed is not kept suspended any more.
func (c *warmCache) checked(orchestration string, same bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Checks++
	if !same {
		c.stats.Mismatches++
		c.off[orchestration] = true
	}
}

func (c *warmCache) snapshot() WarmStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
