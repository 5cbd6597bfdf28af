package durabletest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CheckOptions change how recorded histories are compared. The zero value is
// the default.
type CheckOptions struct {
	// StrictInputs makes an input, a value or an outcome that differs from the
	// recorded one a difference, as [durable.Options.StrictInputs] does. By
	// default it is a note. Redacted payloads are never compared.
	StrictInputs bool
	// Exact makes it a difference when the code asks for more than is recorded
	// at the end of a running execution. By default it is a note, since a
	// runtime goes on from there.
	Exact bool
}

// Report is what [Check] found.
type Report struct {
	// Executions and Turns are how many were replayed.
	Executions, Turns int
	// Differences are what would break instances, the first of each execution.
	Differences []Difference
	// Notes are what differs and does no harm.
	Notes []string
}

// Difference is where the code does not repeat what a history records.
type Difference struct {
	// File is where the history comes from.
	File string
	// InstanceID, ExecutionID, Orchestration and Version are what is recorded.
	InstanceID    string
	ExecutionID   uint64
	Orchestration string
	Version       string
	// Turn counts the turns of the execution, from 1. EventID is the recorded
	// event in whose place the code did something else. Both are 0 when no turn
	// could be run.
	Turn    int
	EventID uint64
	// Recorded and Got put into words what is recorded and what the code did.
	// Recorded is empty when no turn could be run.
	Recorded, Got string
	// Site is the file and line at which the code did it; empty if unknown.
	Site string
}

// String returns the difference on three lines, or on two when no turn could be
// run.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: instance %s, execution %d of %s %s", d.File, d.InstanceID, d.ExecutionID, d.Orchestration, d.Version)
	if d.Recorded != "" {
		fmt.Fprintf(&b, ": turn %d, event %d\n    recorded: %s", d.Turn, d.EventID, d.Recorded)
	}
	fmt.Fprintf(&b, "\n    the code: %s", d.Got)
	if d.Site != "" {
		fmt.Fprintf(&b, ", at %s", shortPath(d.Site))
	}
	return b.String()
}

// shortPath makes the path of a site relative if it is below the working
// directory.
func shortPath(site string) string {
	wd, err := os.Getwd()
	if err != nil {
		return site
	}
	rel, err := filepath.Rel(wd, site)
	if err != nil || strings.HasPrefix(rel, "..") {
		return site
	}
	return rel
}
