package migrations_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Whoever waits is told of the end of an instance and of its custom status, and
// nobody is told when nobody waits.
func TestTellsWhoWaits(t *testing.T) {
	t.Parallel()
	f := setupAt(t, lastVersion())
	long := strings.Repeat("ü", 300)
	execution := int64(0)
	turn := func(id, metadata string) {
		f.Helper()
		f.enqueue(id, `{"CancelInstance": {}}`, 1)
		f.ack(f.claim(time.Minute).token, nowMs(), ack{execution: execution, metadata: metadata})
	}
	begun := func(id string) string {
		return fmt.Sprintf(`{"orchestration_name": "o", "orchestration_version": "1.0.0", "status": "Running", "id": %q}`, id)
	}
	collect := f.listen()
	told := func(what string, want ...string) {
		f.Helper()
		var got []string
		for _, text := range collect() {
			if id, ok := strings.CutPrefix(text, "_dxgo_wait "); ok {
				got = append(got, id)
			}
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("%s: told of %q, want %q", what, got, want)
		}
	}

	turn("early", begun("early"))
	turn("early", `{"status": "Completed", "output": "1"}`)
	told("nobody waits")

	f.exec(`SELECT {S}.dxgo_wait(60000)`)
	f.exec(`SELECT {S}.dxgo_wait(1)`) // is no shorter
	turn("i", begun("i"))
	told("it begins")
	turn("i", `{"custom_status_action": "set", "custom_status_value": "half"}`)
	told("its custom status", "i")
	turn("i", `{"status": "ContinuedAsNew", "output": "2"}`)
	told("it continues as new")
	execution = 2
	turn("i", `{"orchestration_name": "o", "orchestration_version": "1.0.0"}`)
	turn("i", `{"status": "Failed", "output": "no"}`)
	told("it fails", "i")
	execution = 1
	turn(long, begun("long"))
	turn(long, `{"status": "Completed", "output": "1"}`)
	told("a long id", long[:2*200])

	f.exec(`UPDATE {S}.dxgo_waiting SET until_ms = 1`)
	turn("late", begun("late"))
	turn("late", `{"status": "Completed", "output": "1"}`)
	told("nobody waits any more")
}
