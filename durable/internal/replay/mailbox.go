package replay

// mailbox matches what waits on one name with what arrived under it (1.14).
// The n-th live subscription takes the n-th arrival.
type mailbox struct {
	subs     []*subscription
	live     int
	arrivals []*arrival
}

// arrival is one event or queued message.
type arrival struct {
	name, data string
	// read says that a dequeue returned it to user code.
	read bool
}

// subscription is one recorded wait.
type subscription struct {
	box *mailbox
	// slot is the number of live subscriptions before it.
	slot      int
	cancelled bool
}

func (x *execution) box(boxes map[string]*mailbox, name string) *mailbox {
	b := boxes[name]
	if b == nil {
		b = &mailbox{}
		boxes[name] = b
	}
	return b
}

// subscribe adds a subscription behind all others of its name.
func (b *mailbox) subscribe() *subscription {
	s := &subscription{box: b, slot: b.live}
	b.live++
	b.subs = append(b.subs, s)
	return s
}

// arrived returns what the subscription is matched with, nil for nothing yet.
func (s *subscription) arrived() *arrival {
	if s.cancelled || s.slot >= len(s.box.arrivals) {
		return nil
	}
	return s.box.arrivals[s.slot]
}

// cancel takes the subscription out of the matching: later ones move up. With
// discard, what was assigned to it goes too.
func (s *subscription) cancel(discard bool) {
	if s.cancelled {
		return
	}
	b := s.box
	if discard && s.slot < len(b.arrivals) {
		b.arrivals = append(b.arrivals[:s.slot:s.slot], b.arrivals[s.slot+1:]...)
	}
	s.cancelled = true
	b.live--
	after := false
	for _, other := range b.subs {
		if after && !other.cancelled {
			other.slot--
		}
		after = after || other == s
	}
}
