package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/examples/orders"
)

// show is one run of the demo, used from one goroutine but for startOrders.
type show struct {
	Options
	store  *store
	client *durable.Client
	fleet  *fleet
	screen *printer

	started atomic.Int64 // how many of Orders
	ended   atomic.Int64
	crash   *crash
	misses  int                  // kills that hit nothing
	asked   map[string]time.Time // when an order was first seen waiting
	took    time.Duration
}

// approver is who approves large orders. It knows business customers and never
// answers the others.
const approver = "Ada"

// play starts the workers and the orders and watches them to their end.
func (s *show) play(ctx context.Context) error {
	s.asked = map[string]time.Time{}
	if err := s.open(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var arrivals sync.WaitGroup
	defer arrivals.Wait()
	defer cancel()
	arrived := make(chan error, 1)
	arrivals.Go(func() { arrived <- s.startOrders(ctx) })
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case w := <-s.fleet.died:
			return w.failure()
		case err := <-arrived:
			if err != nil {
				return err
			}
		case <-tick.C:
		}
		ended, err := s.look(ctx)
		if err != nil {
			return err
		}
		s.ended.Store(int64(ended))
		if s.crash == nil && s.misses < maxMisses && ended >= len(s.Orders)/2 {
			if s.crash, err = s.strike(ctx); err != nil {
				return err
			}
		}
		if s.crash != nil {
			if err := s.crash.follow(ctx, s); err != nil {
				return err
			}
		}
		if ended == len(s.Orders) {
			s.screen.endProgress()
			s.took = time.Since(s.screen.start)
			s.screen.event("all %d orders are through", ended)
			return nil
		}
	}
}

// open says what will be seen, and starts the workers.
func (s *show) open(ctx context.Context) error {
	s.screen.printf("%s\n\n", s.style("1", "A workflow that survives a crash"))
	s.screen.printf("  An order is validated; its items are reserved in parallel; the card is charged,\n" +
		"  again if the payment service does not answer; a large amount waits for approval;\n" +
		"  a sub-orchestration ships. What cannot go on is undone, in reverse.\n\n")
	s.screen.printf("  input     %s of %s: %s, %d refused\n", plural(len(s.Orders)+len(s.Refused), "line"), s.Input,
		plural(len(s.Orders), "order"), len(s.Refused))
	s.screen.printf("  database  %s\n", s.store.description)
	var names []string
	for range s.Workers {
		w, err := s.fleet.start(ctx)
		if err != nil {
			return err
		}
		names = append(names, fmt.Sprintf("%s (pid %d)", w.name, w.pid))
	}
	s.screen.printf("  workers   %s, each a process of its own\n\n", list(names))
	s.screen.start = time.Now()
	return nil
}

// look shows where the orders are, approves, and returns how many have ended.
func (s *show) look(ctx context.Context) (ended int, err error) {
	states, err := s.store.watch.states(ctx)
	if err != nil {
		return 0, err
	}
	byID := map[string]state{}
	for _, st := range states {
		byID[st.Instance] = st
	}
	count := map[string]int{}
	for _, order := range s.Orders[:s.started.Load()] {
		st, ok := byID[order.ID]
		switch {
		case ok && st.ended():
			ended++
			continue
		case st.Custom == orders.StatusAwaitingApproval:
			if err := s.approve(ctx, order); err != nil {
				return 0, err
			}
		}
		count[st.stage()]++
	}
	var parts []string
	for _, stage := range stages {
		if n := count[stage]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", stage, n))
		}
	}
	s.screen.progress(ended, len(s.Orders), strings.Join(parts, ", "))
	return ended, nil
}

// approve approves a business order that has waited for a moment.
func (s *show) approve(ctx context.Context, order orders.Order) error {
	since, seen := s.asked[order.ID]
	switch {
	case !seen:
		s.asked[order.ID] = time.Now()
		return nil
	case order.Account != "business" || since.IsZero() || time.Since(since) < approveAfter:
		return nil
	}
	s.asked[order.ID] = time.Time{} // once is enough
	return s.client.EnqueueMessage(ctx, order.ID, orders.ApprovalQueue, orders.Approval{Approved: true, By: approver})
}

func (s *show) style(code, text string) string { return s.screen.style(code, text) }

func itoa(n int) string { return strconv.Itoa(n) }
