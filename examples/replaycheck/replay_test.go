package replaycheck

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

// Today's code goes on with the instances of the first release.
func TestReplay(t *testing.T) {
	durabletest.Replay(t, code(t), "testdata/histories")
}

var record = flag.Bool("record", false, "write testdata/histories anew: only when no instance of before is left")

// The histories of a live system come from duroxide export; these were made in
// virtual time.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("only with -record")
	}
	dir, err := filepath.Abs("testdata/histories")
	if err != nil {
		t.Fatal(err)
	}
	durabletest.Run(t, code(t), nil, func(t *testing.T, env *durabletest.Env) {
		durabletest.Start(env, Trial, "subscribed", Customer{Email: "cyd@example.org", Price: 900})
		durabletest.Start(env, Trial, "cancelled", Customer{Email: "dee@example.org", Price: 900})
		env.After(28*day, func() { env.Raise("cancelled", CancelEvent, "no need") })
		time.Sleep(30 * day)
		durabletest.Start(env, Trial, "reminded", Customer{Email: "bob@example.org", Price: 900})
		time.Sleep(26 * day)
		durabletest.Start(env, Trial, "young", Customer{Email: "ada@example.org", Price: 1200})
		time.Sleep(day)
		for _, id := range []string{"young", "reminded", "subscribed", "cancelled"} {
			var text bytes.Buffer
			if err := env.Client.ExportHistory(t.Context(), &text, id, &durable.ExportOptions{Redact: true}); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, id+".jsonl"), text.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
}
