package replay

// Suspended is an execution between two turns, with its code suspended where it
// waits. The next turn applies only what is new, and costs what is new.
//
// It is not safe for concurrent use. Whoever holds one resumes it or closes it.
type Suspended struct{ t *turn }

// What a suspended execution holds beside the payloads: the stack of its
// coroutine and the bookkeeping of each event.
const (
	suspendedBytes = 12 << 10
	eventBytes     = 100
)

// Begin runs a turn as [Run] does, but leaves the code suspended if it waits.
// It returns nil if there is nothing to resume: the execution ended, the turn
// failed, or it follows the family's old race policy, under which a later turn
// sees an earlier one differently than it was.
func Begin(in Input) (Output, *Suspended) {
	return newTurn(withLogger(in)).suspend()
}

// Resume runs the next turn. Of the input it reads the messages and what is not
// about the execution; the rest is what the execution was begun with. After a
// turn that could not be stored the execution must be closed instead: it
// remembers what the store does not.
func (s *Suspended) Resume(in Input) (Output, *Suspended) {
	in = withLogger(in)
	in.Instance, in.Execution, in.Handler = s.t.in.Instance, s.t.in.Execution, s.t.in.Handler
	in.History, in.Start, in.KV = nil, nil, nil
	t := &turn{in: in, rec: s.t.rec, x: s.t.x, nextID: s.t.rec.maxID + 1}
	t.x.t = t
	s.t = nil
	return t.suspend()
}

func (t *turn) suspend() (Output, *Suspended) {
	out := t.run()
	if out.Result != Continue || out.Nondeterminism != nil || t.x == nil || t.x.returned || t.x.legacy {
		t.tearDown()
		return out, nil
	}
	t.forget()
	return out, &Suspended{t}
}

// forget lets go of what only this turn needed.
func (t *turn) forget() {
	t.rec.compact()
	t.in.History, t.in.Start, t.in.Messages, t.in.KV = nil, nil, nil, nil
	t.delta, t.pending, t.x.dropped = nil, nil, nil
}

// LastEventID returns the id of the last event that the execution knows.
func (s *Suspended) LastEventID() uint64 { return s.t.rec.maxID }

// Name returns the name of the orchestration.
func (s *Suspended) Name() string { return s.t.rec.started.Name }

// Bytes estimates how much memory the execution holds.
func (s *Suspended) Bytes() int {
	return suspendedBytes + s.t.rec.bytes + eventBytes*int(s.t.rec.maxID)
}

// Close unwinds the code: its deferred functions run.
func (s *Suspended) Close() { s.t.tearDown() }
