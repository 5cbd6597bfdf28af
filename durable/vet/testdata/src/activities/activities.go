package activities

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

const (
	charge = durable.Activity[int, string]("charge")
	flow   = durable.Orchestration[int, string]("flow")
)

var attempts int // want attempts:"assigned in charge"

type service struct {
	mu   sync.Mutex
	seen map[string]int
}

// charge is an activity, and may do anything.
func (s *service) charge(ctx context.Context, n int) (string, error) { // want charge:"writes the package variable attempts"
	s.mu.Lock()
	defer s.mu.Unlock()
	attempts++
	done := make(chan string, 1)
	go func() { done <- fmt.Sprint(time.Now(), rand.N(10), os.Getenv("REGION")) }()
	var keys []string
	for k := range s.seen {
		keys = append(keys, k)
	}
	select {
	case out := <-done:
		return out, nil
	case <-ctx.Done():
		return keys[0], ctx.Err()
	}
}

func register(s *service) []durable.Registration { // want register:"calls fmt.Println"
	fmt.Println("registering at", time.Now())
	return []durable.Registration{
		charge.With(s.charge),
		charge.With(func(ctx context.Context, n int) (string, error) {
			time.Sleep(time.Second)
			return os.Hostname()
		}),
		flow.With(func(ctx *durable.Context, n int) (string, error) { return charge.Call(ctx, n) }),
	}
}

// An activity that is written within an orchestration's code is still one.
func nested(ctx *durable.Context, n int) (durable.Registration, error) {
	return charge.With(func(ctx context.Context, n int) (string, error) {
		time.Sleep(time.Second)
		return os.Hostname()
	}), nil
}
