package golangci_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"

	"github.com/duroxide/duroxide-go/durable/vet"
	_ "github.com/duroxide/duroxide-go/durable/vet/golangci" // as golangci-lint custom imports it
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	newPlugin, err := register.GetPlugin("durablevet")
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := newPlugin(nil)
	if err != nil {
		t.Fatal(err)
	}
	analyzers, err := plugin.BuildAnalyzers()
	if err != nil || len(analyzers) != 1 || analyzers[0] != vet.Analyzer {
		t.Errorf("analysers %v, %v", analyzers, err)
	}
	// Without the types there would be nothing to find.
	if mode := plugin.GetLoadMode(); mode != register.LoadModeTypesInfo {
		t.Errorf("load mode %q", mode)
	}
}
