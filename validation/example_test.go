package validation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/validation"
)

// The whole test of a provider. What it opens for a case can be ended by the
// cleanup of the test that is given.
func ExampleRun() {
	var t *testing.T // the parameter of func TestConformance
	validation.Run(t, func(*testing.T) validation.Harness {
		return validation.Harness{
			NewProvider: func(context.Context) (core.Provider, error) { return memprovider.New(nil), nil },
			LongPolls:   true,
			RequireAll:  true,
			CorruptHistory: func(_ context.Context, p core.Provider, instance string) error {
				p.(*memprovider.Provider).CorruptHistory(instance)
				return nil
			},
			MaxAttemptCount: func(_ context.Context, p core.Provider, instance string) (uint32, error) {
				return p.(*memprovider.Provider).MaxAttemptCount(instance), nil
			},
		}
	})
}

// Without package testing: one category of the suite, and its report.
func ExampleCheck() {
	cases := slices.DeleteFunc(validation.Cases(), func(c validation.Case) bool { return c.Category != "custom_status" })
	report, err := validation.Check(context.Background(), validation.Harness{
		NewProvider: func(context.Context) (core.Provider, error) { return memprovider.New(nil), nil },
		LongPolls:   true,
	}, cases...)
	if err != nil {
		panic(err)
	}
	fmt.Println(report)
	fmt.Println(report.Err())
	// Output:
	// memory 0.1.0, long polling: 7 passed, 0 failed, 0 skipped, 0 not applicable
	// <nil>
}

// A report is plain data.
func ExampleReport() {
	report := validation.Report{
		Provider: "example", Version: "1.2.3",
		Counts:  map[validation.Outcome]int{validation.Skipped: 1},
		Results: []validation.Result{{Case: validation.Cases()[0], Outcome: validation.Skipped, Reason: "for the example", Tries: 1}},
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		panic(err)
	}
	// Output:
	// {
	//   "provider": "example",
	//   "version": "1.2.3",
	//   "long_polls": false,
	//   "counts": {
	//     "skipped": 1
	//   },
	//   "results": [
	//     {
	//       "name": "TestAtomicityFailureRollback",
	//       "category": "atomicity",
	//       "rule": "An ack that repeats an event id changes nothing and keeps the lock.",
	//       "contract": "3.2, 5.1",
	//       "outcome": "skipped",
	//       "reason": "for the example",
	//       "tries": 1,
	//       "elapsed_ms": 0
	//     }
	//   ]
	// }
}
