package globals

import "github.com/duroxide/duroxide-go/durable"

var seen int // want seen:"assigned in override"

// A test that replaces something does not make it change in the program.
func override() { // want override:"writes the package variable errGone"
	errGone = nil
	seen = 1
}

func probe(ctx *durable.Context) {
	_ = errGone
	_ = seen // want `reads the package variable seen`
}
