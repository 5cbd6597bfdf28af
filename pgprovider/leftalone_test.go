package pgprovider

import (
	"slices"
	"testing"
	"time"
)

func TestLeftAlone(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var l leftAlone[int]
	if keys := l.list(now); keys == nil || len(keys) != 0 {
		t.Errorf("at first: %#v", keys) // NULL would be another thing to the database
	}
	for key := range 2 * maxAway {
		if added := l.add(key, span{now, now.Add(time.Duration(key+1) * time.Second)}); added != (key < maxAway) {
			t.Fatalf("add %d: %v", key, added)
		}
	}
	if !l.add(0, span{now, now.Add(time.Hour)}) {
		t.Error("what is left alone already is not once more")
	}
	end := now.Add((maxAway - 1) * time.Second)
	keys := l.list(end)
	slices.Sort(keys)
	if !slices.Equal(keys, []int{0, maxAway - 1}) {
		t.Errorf("near the end: %d keys", len(keys))
	}
	if !l.add(maxAway, span{end.Add(time.Minute), end.Add(time.Hour)}) {
		t.Error("what was forgotten takes room")
	}
	if keys := l.list(end.Add(30 * time.Second)); !slices.Equal(keys, []int{0}) {
		t.Errorf("before a span: %v", keys)
	}
	if keys := l.list(end.Add(time.Minute)); !slices.Contains(keys, maxAway) {
		t.Errorf("as it begins: %v", keys)
	}
}
