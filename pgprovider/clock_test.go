package pgprovider_test

import (
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// shiftedClock is an offset that can change.
type shiftedClock struct {
	base   core.Clock
	offset atomic.Int64
}

func (c *shiftedClock) Now() time.Time                      { return c.base.Now().Add(time.Duration(c.offset.Load())) }
func (c *shiftedClock) NewTimer(d time.Duration) core.Timer { return c.base.NewTimer(d) }
func (c *shiftedClock) shift(d time.Duration)               { c.offset.Add(int64(d)) }
