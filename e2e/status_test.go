package e2e_test

import (
	"fmt"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// A client follows the custom status and answers each change.
func TestCustomStatus(t *testing.T) {
	t.Parallel()
	const talk = durable.Orchestration[int, string]("talk")
	w := newWorld(t)
	w.run(t, nil, talk.With(func(ctx *durable.Context, rounds int) (string, error) {
		for i := range rounds {
			ctx.SetStatus(fmt.Sprint("round ", i))
			if _, err := durable.Dequeue[string](ctx, "next").Await(ctx); err != nil {
				return "", err
			}
		}
		ctx.ResetStatus()
		return "done", nil
	}))
	client := w.client(t)
	_, err := talk.Start(w.ctx, client, "talk", 4)
	must(t, err)
	var seen []string
	for version := uint64(0); ; {
		s, err := client.WaitStatusChange(w.ctx, "talk", version)
		must(t, err)
		if s.Done() {
			equal(t, "status at the end", nil, s.CustomStatus)
			equal(t, "output", "done", s.Output)
			break
		}
		if s.CustomStatusVersion <= version {
			t.Fatalf("version %d after %d", s.CustomStatusVersion, version)
		}
		version = s.CustomStatusVersion
		seen = append(seen, *s.CustomStatus)
		must(t, client.EnqueueMessage(w.ctx, "talk", "next", ""))
	}
	equal(t, "statuses", []string{"round 0", "round 1", "round 2", "round 3"}, seen)
}
