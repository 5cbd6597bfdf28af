package demo

import (
	"context"
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// watch looks at the running orders, all at once, straight in the tables.
type watch interface {
	// states returns where all instances are.
	states(ctx context.Context) ([]state, error)
	// running returns all activities that are being run, or were by a dead
	// worker.
	running(ctx context.Context) ([]running, error)
	// takeovers returns which of the calls went to another worker.
	takeovers(ctx context.Context, keys []string, dead string) ([]takeover, error)
}

// state is where one instance is.
type state struct {
	Instance string
	Custom   string
	Status   string
}

func (s state) ended() bool { return core.ExecutionStatus(s.Status).IsTerminal() }

// stage is the first words of the custom status.
func (s state) stage() string {
	for _, stage := range stages {
		if strings.HasPrefix(s.Custom, stage) {
			return stage
		}
	}
	return "starting"
}

// stages are those that the progress shows, in this order.
var stages = []string{"starting", "validating", "reserving", "charging", "awaiting approval", "shipping", "undoing"}

// running is an activity that a worker is running.
type running struct {
	Key      string
	Instance string
	Activity string
	Worker   string
	// Acted says that its effect is in the ledger already.
	Acted bool
}

// takeover is a delivery of an activity to another worker.
type takeover struct{ Key, Worker string }
