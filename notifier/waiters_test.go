package notifier

import "testing"

// woken takes a wake-up and reports whether there was one.
func woken(w *Waiter) bool {
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func TestOrchestratorWakesOne(t *testing.T) {
	t.Parallel()
	var s waiters
	a, b := s.add(""), s.add("")
	s.wakeSome()
	if !woken(a) || woken(b) {
		t.Error("want the longest waiting one only")
	}
	s.wakeSome()
	s.wakeSome()
	if !woken(a) || !woken(b) {
		t.Error("two wake-ups are for two")
	}
	s.wakeSome()
	s.wakeSome()
	s.wakeSome()
	if !woken(a) || woken(a) || !woken(b) {
		t.Error("a wake-up that was not taken is one")
	}
}

func TestWakeBetweenQueryAndWaitIsKept(t *testing.T) {
	t.Parallel()
	var s waiters
	w := s.add("")
	s.wakeSome() // the first query runs
	if !woken(w) {
		t.Error("the wake-up is lost")
	}
}

func TestReleasePassesTheWakeUpOn(t *testing.T) {
	t.Parallel()
	var s waiters
	a, other, b := s.add(""), s.add("other"), s.add("")
	s.wakeOneOf("")
	a.Release()
	if woken(other) {
		t.Error("woke a fetch of another key")
	}
	if !woken(b) {
		t.Error("the wake-up went with the one who left")
	}
	a.Release() // does nothing
	b.Release()
	other.Release()
	if len(s.list) != 0 {
		t.Errorf("%d waiters are left", len(s.list))
	}
	s.wakeSome()
	if c := s.add(""); woken(c) {
		t.Error("a fetch that begins later queries first and needs no wake-up")
	}
}

func TestOneOfEachKeyIsWoken(t *testing.T) {
	t.Parallel()
	var s waiters
	a1, a2, b := s.add("a"), s.add("a"), s.add("b")
	s.wakeSome()
	if !woken(a1) || woken(a2) || !woken(b) {
		t.Error("want one of each key")
	}
}

func TestWorkersAreAllWoken(t *testing.T) {
	t.Parallel()
	s := waiters{all: true}
	a, b := s.add(""), s.add("")
	s.wakeSome()
	a.Release()
	if woken(a) || !woken(b) || woken(b) {
		t.Error("want one wake-up for each")
	}
}
