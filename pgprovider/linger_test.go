package pgprovider

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A query that runs when its caller gives up has a while to bring home what it
// claims, and then it is cut off.
func TestLingering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gaveUp := errors.New("gave up")
		ctx, giveUp := context.WithCancelCause(t.Context())
		asking, stop := lingering(ctx, time.Second)
		defer stop()
		giveUp(gaveUp)
		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		if asking.Err() != nil {
			t.Fatal("the query is cut off at once")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if context.Cause(asking) != gaveUp { //nolint:errorlint // the very cause
			t.Errorf("the query ends with %v", context.Cause(asking))
		}
	})
}
