package demo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// settle is how long the server may take to finish the last statement of a
// killed worker. Its locks live longer.
const settle = 200 * time.Millisecond

// crash is the kill of a worker and what became of its work.
type crash struct {
	victim      *worker
	at          time.Duration // since the start of the demo
	when        time.Time
	lost        []running // what it was doing
	first, last time.Duration
	heirs       []string // who took over
	done        bool     // all of it
}

// acted counts the lost activities whose effect was in the ledger already.
func (c *crash) acted() int {
	n := 0
	for _, r := range c.lost {
		if r.Acted {
			n++
		}
	}
	return n
}

// busiest returns the live worker that runs most activities, nil if none does.
func busiest(live []*worker, all []running) (w *worker, n int) {
	count := map[string]int{}
	for _, r := range all {
		count[r.Worker]++
	}
	for _, candidate := range live {
		if count[candidate.name] > n {
			w, n = candidate, count[candidate.name]
		}
	}
	return w, n
}

// maxMisses bounds how often a worker is killed that just finished its work.
const maxMisses = 3

// strike kills the busiest worker, and starts another in its place. It returns
// nil when there was none in the middle of something.
func (s *show) strike(ctx context.Context) (*crash, error) {
	all, err := s.store.watch.running(ctx)
	if err != nil {
		return nil, err
	}
	victim, _ := busiest(s.fleet.live(), all)
	if victim == nil {
		return nil, nil
	}
	c := &crash{victim: victim, at: time.Since(s.screen.start), when: time.Now()}
	if err := s.fleet.kill(victim); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	all, err = s.store.watch.running(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Worker == victim.name {
			c.lost = append(c.lost, r)
		}
	}
	replacement, err := s.fleet.start(ctx)
	if err != nil {
		return nil, err
	}
	if len(c.lost) == 0 {
		s.misses++
		s.screen.event("%s killed (SIGKILL, pid %d), but it had just finished what it did; %s (pid %d) started in its place",
			victim.name, victim.pid, replacement.name, replacement.pid)
		return nil, nil
	}
	s.screen.event("%s", s.style("31;1", victim.name+" killed (SIGKILL, pid "+itoa(victim.pid)+
		") in the middle of "+describe(c.lost)))
	s.screen.event("%s (pid %d) started in its place; what was in hand stays locked for up to %s",
		replacement.name, replacement.pid, activityLock)
	return c, nil
}

// describe counts activities by name: "5 activities: 3 reserve, 2 charge".
func describe(all []running) string {
	count := map[string]int{}
	for _, r := range all {
		count[r.Activity]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, itoa(count[name])+" "+name)
	}
	return plural(len(all), "activity") + ": " + strings.Join(parts, ", ")
}

// follow looks whether the others have taken over what the dead worker held.
func (c *crash) follow(ctx context.Context, s *show) error {
	if c.done {
		return nil
	}
	var keys []string
	for _, r := range c.lost {
		keys = append(keys, r.Key)
	}
	taken, err := s.store.watch.takeovers(ctx, keys, c.victim.name)
	if err != nil {
		return err
	}
	calls, heirs := map[string]bool{}, map[string]bool{}
	for _, t := range taken {
		calls[t.Key], heirs[t.Worker] = true, true
	}
	if len(calls) > 0 && c.first == 0 {
		c.first = time.Since(c.when)
	}
	if len(calls) < len(keys) {
		return nil
	}
	c.done, c.last, c.heirs = true, time.Since(c.when), slices.Sorted(maps.Keys(heirs))
	s.screen.event("all of it was taken over by %s, %.1fs after the kill", list(c.heirs), c.last.Seconds())
	return nil
}
