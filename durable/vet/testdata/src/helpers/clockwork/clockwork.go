// Package clockwork is what orchestrations of another package call.
package clockwork

import (
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

func Stamp() string { return format(now()) } // want Stamp:"calls now, which calls time.Now"

func now() time.Time { return time.Now() } // want now:"calls time.Now"

func format(t time.Time) string { return t.Format(time.RFC3339) }

func Tomorrow(t time.Time) time.Time { return t.AddDate(0, 0, 1) }

// Wait is reported here, not where it is called.
func Wait(ctx *durable.Context) {
	time.Sleep(1) // want `orchestration code calls time.Sleep`
}

type Clock struct{ offset time.Duration }

func (c *Clock) Now() time.Time { return now().Add(c.offset) } // want Now:"calls now, which calls time.Now"

func First[T any](of ...T) T { return pick(of) } // want First:"calls pick, which starts a goroutine"

func pick[T any](of []T) T { // want pick:"starts a goroutine"
	go func() {}()
	return of[0]
}

var (
	once  sync.Once
	table map[string]int // want table:"assigned in Lookup"
)

// Lookup fills its table once, with the same contents in every process.
//
//durable:allow the table is the same in every process
func Lookup(key string) int {
	once.Do(func() { table = map[string]int{"a": 1} })
	return table[key]
}

var mu sync.Mutex

// Locked takes a lock for a moment, which is no decision.
func Locked(n int) int {
	mu.Lock()
	defer mu.Unlock()
	return n
}
