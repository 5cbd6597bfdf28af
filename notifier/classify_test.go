package notifier

import (
	"math"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	const window, grace = time.Minute, 100 * time.Millisecond
	for _, tt := range []struct {
		name    string
		payload string
		action  Action
		delay   time.Duration
	}{
		{"now", "1700000000000", WakeNow, 0},
		{"past", "1699999999999", WakeNow, 0},
		{"zero", "0", WakeNow, 0},
		{"negative", "-5", WakeNow, 0},
		{"empty", "", WakeNow, 0},
		{"garbage", "soon", WakeNow, 0},
		{"above int64", "9223372036854775808", WakeNow, 0},
		{"one millisecond ahead", "1700000000001", WakeLater, time.Millisecond + grace},
		{"within the window", "1700000030000", WakeLater, 30*time.Second + grace},
		{"end of the window", "1700000060000", WakeLater, time.Minute + grace},
		{"past the window", "1700000060001", Ignore, 0},
		{"far ahead", "9223372036854775807", Ignore, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			action, delay := Classify(tt.payload, now, window, grace)
			if action != tt.action || delay != tt.delay {
				t.Errorf("got %v, %v, want %v, %v", action, delay, tt.action, tt.delay)
			}
		})
	}
	t.Run("without a window nothing overflows", func(t *testing.T) {
		t.Parallel()
		action, delay := Classify("9223372036854775807", now, math.MaxInt64, grace)
		if action != WakeLater && action != Ignore || delay < 0 {
			t.Errorf("got %v, %v", action, delay)
		}
	})
	t.Run("a fraction of a millisecond does not make a row late", func(t *testing.T) {
		t.Parallel()
		action, _ := Classify("1700000000000", now.Add(999*time.Microsecond), window, grace)
		if action != WakeNow {
			t.Errorf("got %v", action)
		}
	})
}
