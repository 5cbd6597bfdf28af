package notifier

import (
	"slices"
	"testing"
	"time"
)

func TestDueTimes(t *testing.T) {
	t.Parallel()
	base := time.Now()
	at := func(s int) entry { return entry{due: int64(s), fire: base.Add(time.Duration(s) * time.Second)} }
	var d dueTimes
	if _, ok := d.next(); ok {
		t.Error("an empty heap has an entry")
	}
	for _, s := range []int{5, 1, 9, 3, 5, 1} {
		if !d.push(at(s)) {
			t.Fatal("no room")
		}
	}
	if fire, ok := d.next(); !ok || !fire.Equal(at(1).fire) {
		t.Errorf("next is %v", fire)
	}
	if fired := d.pop(base); len(fired) != 0 {
		t.Errorf("fired too early: %v", fired)
	}
	if fired := d.pop(at(5).fire); !slices.Equal(fired, []entry{at(1), at(3), at(5)}) {
		t.Errorf("fired %v", fired)
	}
	// What has fired may come again.
	d.push(at(5))
	if fired := d.pop(at(9).fire); !slices.Equal(fired, []entry{at(5), at(9)}) {
		t.Errorf("fired %v", fired)
	}
	if len(d.known) != 0 {
		t.Errorf("remembers %v", d.known)
	}
}

func TestDueTimesAreBounded(t *testing.T) {
	t.Parallel()
	var d dueTimes
	for i := range maxEntries {
		if !d.push(entry{due: int64(i)}) {
			t.Fatalf("no room for entry %d", i)
		}
	}
	if d.push(entry{due: -1}) {
		t.Error("room beyond the bound")
	}
	if !d.push(entry{due: 1}) {
		t.Error("no room for what is known")
	}
}
