package dispatch

import (
	"sync"

	"github.com/duroxide/duroxide-go/core"
)

// leases are those of the activities that run in this process, so that one whose
// orchestration took its turn here, too, learns at once that its result is no longer
// wanted. All others learn it when they renew their locks.
type leases struct {
	mu      sync.Mutex
	running map[core.ActivityIdentifier]*lease
}

func identify(item core.ActivityExecuteItem) core.ActivityIdentifier {
	return core.ActivityIdentifier{Instance: item.Instance, ExecutionID: item.ExecutionID, ActivityID: item.ID}
}

// add takes a lease in, in the place of one of an earlier delivery.
func (s *leases) add(l *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = map[core.ActivityIdentifier]*lease{}
	}
	s.running[identify(l.item)] = l
}

func (s *leases) remove(l *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := identify(l.item); s.running[id] == l {
		delete(s.running, id)
	}
}

// unwanted ends the contexts of activities that were cancelled.
func (s *leases) unwanted(cancelled []core.ActivityIdentifier) {
	var found []*lease
	s.mu.Lock()
	for _, id := range cancelled {
		if l := s.running[id]; l != nil {
			found = append(found, l)
		}
	}
	s.mu.Unlock()
	for _, l := range found {
		l.lost(core.ErrLockLost)
	}
}
