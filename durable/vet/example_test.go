package vet_test

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/duroxide/duroxide-go/durable/vet"
)

// A program that checks with this analyser and others of a team's own.
func Example() {
	var ours []*analysis.Analyzer
	multichecker.Main(append(ours, vet.Analyzer)...)
}

func ExampleAnalyzer() {
	summary, _, _ := strings.Cut(vet.Analyzer.Doc, "\n")
	fmt.Printf("%s: %s\n", vet.Analyzer.Name, summary)
	// Output: durablevet: report orchestration code that is not deterministic
}
