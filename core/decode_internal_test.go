package core

import "testing"

func TestKeyTableAndSwitchAgree(t *testing.T) {
	t.Parallel()
	for k, name := range keyNames {
		if got := lookupKey([]byte(name)); name == "" || got != k {
			t.Errorf("key %d is named %q, which is looked up as %d", k, name, got)
		}
	}
	for _, name := range []string{"", "Name", "event-id", "unknown"} {
		if got := lookupKey([]byte(name)); got != -1 {
			t.Errorf("%q is looked up as %d, want -1", name, got)
		}
	}
}
