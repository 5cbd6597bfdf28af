package helpers

import (
	"context"
	"os"

	"helpers/clockwork"

	"github.com/duroxide/duroxide-go/durable"
)

func flow(ctx *durable.Context, in string) (string, error) {
	_ = label(in)          // want `orchestration code calls label, which calls prefix, which calls os.Getenv: it differs between processes; pass it in the input or ask an activity`
	_ = clockwork.Stamp()  // want `calls clockwork.Stamp, which calls now, which calls time.Now: take the recorded time from ctx.Now\(\)`
	_ = clockwork.First(1) // want `calls clockwork.First, which calls pick, which starts a goroutine`
	_ = even(4)            // want `calls even, which calls odd, which calls os.Getpid`
	var c clockwork.Clock
	_ = c.Now()              // want `calls clockwork.Clock.Now, which calls now`
	stamp := clockwork.Stamp // want `uses clockwork.Stamp, which calls now`
	_ = stamp()
	var p printer
	p.print()           // want `calls printer.print, which uses os.Stdout: do it in an activity`
	load(nil, "prices") // want `calls load, which calls os.ReadFile`

	clockwork.Wait(ctx)
	_ = clockwork.Tomorrow(ctx.Now())
	_ = clockwork.Lookup(in) + clockwork.Locked(1)
	inner(ctx)
	return plain(in), nil
}

func inner(ctx *durable.Context) {
	_ = label("") // want `calls label, which calls prefix, which calls os.Getenv`
}

func label(in string) string { return prefix() + plain(in) } // want label:"calls prefix, which calls os.Getenv"

func prefix() string { return os.Getenv("PREFIX") } // want prefix:"calls os.Getenv"

func plain(in string) string { return in }

// even and odd call each other.
func even(n int) bool { return n == 0 || odd(n-1) } // want even:"calls odd, which calls os.Getpid"

func odd(n int) bool { // want odd:"calls os.Getpid"
	if n < 0 {
		return os.Getpid() == n
	}
	return n != 0 && even(n-1)
}

type printer struct{}

func (printer) print() { // want print:"uses os.Stdout"
	_, _ = os.Stdout.WriteString("x")
}

// A function of the standard library's kind is not reported twice.
func load(ctx context.Context, name string) { // want load:"calls os.ReadFile"
	_, _ = os.ReadFile(name)
}

// Ordinary code may call what it likes. Its reason is the nearest one.
func ordinary() string { return label("x") + prefix() } // want ordinary:"calls prefix, which calls os.Getenv"
