package validation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Outcome is how a case ended.
type Outcome string

// The outcomes.
const (
	// Passed: the rule holds.
	Passed Outcome = "passed"
	// Failed: the rule is broken, or the case could not be run.
	Failed Outcome = "failed"
	// Skipped: the harness or the provider lacks what the case needs.
	Skipped Outcome = "skipped"
	// NotApplicable: the case is the half of a pair that is for other providers.
	NotApplicable Outcome = "not_applicable"
)

// Result is what became of one case.
type Result struct {
	Case    Case
	Outcome Outcome
	// Reason says why the case was skipped or does not apply.
	Reason string
	// Failures says what was wrong, with the place in the suite.
	Failures []string
	// Tries is how often the case was started: more than once if its steps were
	// too slow for the time that they had.
	Tries   int
	Elapsed time.Duration
	// Seed is what a random case drew its numbers from, zero for the others.
	Seed uint64

	provider, version string
}

// MarshalJSON implements [json.Marshaler].
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name      string   `json:"name"`
		Category  string   `json:"category"`
		Rule      string   `json:"rule"`
		Contract  string   `json:"contract"`
		Outcome   Outcome  `json:"outcome"`
		Reason    string   `json:"reason,omitempty"`
		Failures  []string `json:"failures,omitempty"`
		Tries     int      `json:"tries"`
		ElapsedMs int64    `json:"elapsed_ms"`
		Extra     bool     `json:"extra,omitempty"`
		Seed      uint64   `json:"seed,omitempty"`
	}{
		r.Case.Name, r.Case.Category, r.Case.Rule, r.Case.Contract,
		r.Outcome, r.Reason, r.Failures, r.Tries, r.Elapsed.Milliseconds(),
		r.Case.Extra, r.Seed,
	})
}

// String says in one line what became of the case, in more what was wrong.
func (r Result) String() string {
	s := fmt.Sprintf("%s/%s: %s", r.Case.Category, r.Case.Name, r.Outcome)
	if r.Reason != "" {
		s += ": " + r.Reason
	}
	if r.Outcome == Failed {
		s += ": " + r.explain()
	}
	return s
}

// explain tells what was wrong, and the rule.
func (r Result) explain() string {
	seed := ""
	if r.Seed != 0 {
		seed = fmt.Sprintf("seed: %d\n", r.Seed)
	}
	return fmt.Sprintf("%s\n%srule: %s (contract %s)", strings.Join(r.Failures, "\n"), seed, r.Case.Rule, r.Case.Contract)
}

// Report is what became of the cases that ran.
type Report struct {
	// Provider and Version are what the provider calls itself.
	Provider string `json:"provider"`
	Version  string `json:"version"`
	// LongPolls says which half of the polling cases applied.
	LongPolls bool `json:"long_polls"`
	// Counts holds the number of results of the catalogue's cases for each outcome.
	Counts map[Outcome]int `json:"counts"`
	// ExtraCounts does so for those beyond the catalogue.
	ExtraCounts map[Outcome]int `json:"extra_counts,omitempty"`
	Results     []Result        `json:"results"`
}

// String returns the summary in one line.
func (r Report) String() string {
	half := "short"
	if r.LongPolls {
		half = "long"
	}
	s := fmt.Sprintf("%s %s, %s polling: %s", r.Provider, r.Version, half, counted(r.Counts))
	if r.ExtraCounts != nil {
		s += "; beyond the catalogue: " + counted(r.ExtraCounts)
	}
	return s
}

func counted(n map[Outcome]int) string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped, %d not applicable", n[Passed], n[Failed], n[Skipped], n[NotApplicable])
}

// Err returns an error that tells every failure, nil if there is none.
func (r Report) Err() error {
	var errs []error
	for _, result := range r.Results {
		if result.Outcome == Failed {
			errs = append(errs, errors.New(result.String()))
		}
	}
	return errors.Join(errs...)
}

func (r *Report) add(result Result) {
	counts := &r.Counts
	if result.Case.Extra {
		counts = &r.ExtraCounts
	}
	if *counts == nil {
		*counts = map[Outcome]int{}
	}
	(*counts)[result.Outcome]++
	r.Results = append(r.Results, result)
	if result.provider != "" {
		r.Provider, r.Version = result.provider, result.version
	}
}

// Check runs the given cases, all if none is given, and reports. When ctx ends,
// the cases that have not passed by then fail.
func Check(ctx context.Context, h Harness, cases ...Case) (Report, error) {
	h, err := h.withDefaults()
	if err != nil {
		return Report{}, err
	}
	if len(cases) == 0 {
		cases = append(Cases(), Extra()...)
	}
	results := make([]Result, len(cases))
	slots := make(chan struct{}, h.Parallel)
	var wg sync.WaitGroup
	for i, c := range cases {
		slots <- struct{}{}
		wg.Go(func() {
			results[i] = c.Check(ctx, h)
			<-slots
		})
	}
	wg.Wait()
	report := Report{LongPolls: h.LongPolls}
	for _, result := range results {
		report.add(result)
	}
	return report, nil
}
