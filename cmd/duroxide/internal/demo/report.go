package demo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/examples/orders"
)

// conclude checks and reports.
func (s *show) conclude(ctx context.Context) error {
	var records []record
	for _, order := range s.Orders {
		r, err := s.load(ctx, order)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	ledger, err := s.store.ledger.Entries(ctx)
	if err != nil {
		return err
	}
	deliveries, err := s.store.ledger.Deliveries(ctx)
	if err != nil {
		return err
	}
	v, err := judge(records, ledger, deliveries)
	if err != nil {
		return err
	}
	s.reportOrders(records)
	s.reportRefused()
	s.reportTimeline(pick(records, s.crash), ledger, deliveries)
	s.reportCrash()
	s.reportVerdict(records, v)
	if n := len(v.differences); n > 0 {
		return fmt.Errorf("the check found %s", plural(n, "difference"))
	}
	if s.store.stays != "" {
		s.screen.printf("\n  %s\n", s.store.stays)
	}
	return nil
}

// reportOrders prints the table of outcomes with their reasons.
func (s *show) reportOrders(records []record) {
	count, reasons := map[orders.Outcome]int{}, map[orders.Outcome]map[string]int{}
	for _, r := range records {
		outcome := r.result.Outcome
		if r.failure != nil {
			outcome = "failed"
		}
		count[outcome]++
		if reasons[outcome] == nil {
			reasons[outcome] = map[string]int{}
		}
		reason, _, _ := strings.Cut(r.result.Reason, ":")
		if reason != "" {
			reasons[outcome][reason]++
		}
	}
	s.screen.heading("What became of the orders")
	row := func(name string, n int, note string) { s.screen.printf("  %-12s %4d   %s\n", name, n, note) }
	row("completed", count[orders.Completed], "charged once, shipped once")
	row("compensated", count[orders.Compensated], tally(reasons[orders.Compensated]))
	row("expired", count[orders.Expired], "nobody approved in time: refunded and released")
	if n := count["failed"]; n > 0 {
		row("failed", n, "the orchestration itself failed, see the check")
	}
	row("refused", len(s.Refused), "faulty lines of the input, below")
	row("", len(records)+len(s.Refused), fmt.Sprintf("lines of input, in %.1fs", s.took.Seconds()))
}

// tally is "out of stock 10, payment declined 8", the most frequent first.
func tally(count map[string]int) string {
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, count[name])
	}
	return strings.Join(names, ", ")
}

func (s *show) reportRefused() {
	if len(s.Refused) == 0 {
		return
	}
	s.screen.heading("Refused input")
	for _, r := range s.Refused {
		s.screen.printf("  line %-4d %-9s %s\n", r.Line, cmp.Or(r.ID, "-"), r.Reason)
	}
}

func (s *show) reportCrash() {
	s.screen.heading("The crash")
	c := s.crash
	if c == nil {
		s.screen.printf("  No worker was caught in the middle of something when half of the orders were through.\n")
		return
	}
	s.screen.printf("  %s (pid %d) was killed with SIGKILL after %.1fs, in the middle of %s.\n",
		c.victim.name, c.victim.pid, c.at.Seconds(), plural(len(c.lost), "activity"))
	s.screen.printf("  Nobody cleaned up after it. Its locks ran out, and %s\n  took over: the first activity %.1fs after the kill, the last after %.1fs.\n",
		list(c.heirs), c.first.Seconds(), c.last.Seconds())
	if n := c.acted(); n > 0 {
		s.screen.printf("  Of these, %d had acted already when it died. The second delivery found the\n"+
			"  idempotency key in the ledger and changed nothing.\n", n)
	} else {
		s.screen.printf("  None of them had acted yet when it died.\n")
	}
}

func (s *show) reportVerdict(records []record, v verdict) {
	s.screen.heading("The check")
	if len(v.differences) > 0 {
		for _, d := range v.differences {
			s.screen.printf("  %s %s\n", s.style("31", "✗"), d)
		}
		return
	}
	count := map[orders.Outcome]int{}
	for _, r := range records {
		count[r.result.Outcome]++
	}
	ok := func(format string, args ...any) {
		s.screen.printf("  %s %s\n", s.style("32", "✓"), fmt.Sprintf(format, args...))
	}
	ok("no order was lost: %d started, %d at their end", len(s.Orders), len(records))
	ok("ledger and histories agree: %d effects called for, exactly these %d done", v.effects, v.effects)
	ok("%d orders charged once and shipped once; of %d undone nothing is left charged or reserved",
		count[orders.Completed], count[orders.Compensated]+count[orders.Expired])
	ok("%s delivered more than once, none acted twice", plural(len(v.redelivered), "activity"))
}
