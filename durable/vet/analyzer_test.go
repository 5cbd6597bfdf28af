package vet_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/duroxide/duroxide-go/durable/vet"
)

func TestMain(m *testing.M) {
	// The test data are modules of their own, which flags for ours, such as the
	// -modfile of scripts/standalone.sh, do not suit.
	if err := os.Unsetenv("GOFLAGS"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestAnalyzer(t *testing.T) {
	t.Parallel()
	// One run loads the standard library once.
	analysistest.Run(t, analysistest.TestData(), vet.Analyzer,
		"statements", "library", "globals", "maporder", "calls", "helpers", "helpers/clockwork", "allow", "activities")
}

// What another module keeps in its package variables is not reported, what it
// does otherwise is.
func TestOtherModules(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, filepath.Join(analysistest.TestData(), "modules"), vet.Analyzer, "example.com/app")
}
