package allow

import (
	"os"
	"time"

	"github.com/duroxide/duroxide-go/durable"
)

func flow(ctx *durable.Context) {
	_ = time.Now() //durable:allow only for a metric
	_ = time.Now() // want `calls time.Now`

	//durable:allow only for a metric
	_ = time.Now()
	_ = time.Now() // want `calls time.Now`

	//durable:allow // want `//durable:allow needs a reason`
	_ = time.Now() // want `calls time.Now`

	_ = region()
	_ = zone() // want `calls zone, which calls os.Getenv`

	if _, err := os.Stat("/debug"); err == nil { //durable:allow only for debugging
		_ = time.Now() // want `calls time.Now`
	}
}

// whole may do what it likes.
//
//durable:allow it decides nothing
func whole(ctx *durable.Context) {
	go func() {}()
	_ = time.Now()
	ctx.Timer(time.Hour)
}

//durable:allowance is another word
func other(ctx *durable.Context) {
	_ = time.Now() // want `calls time.Now`
}

// A reason at the cause serves all callers.
func region() string {
	return os.Getenv("REGION") //durable:allow it is the same for all processes of a region
}

// zone has a second cause.
func zone() string { // want zone:"calls os.Getenv"
	_ = os.Getenv("REGION") //durable:allow it is the same for all processes of a region
	return os.Getenv("ZONE")
}
