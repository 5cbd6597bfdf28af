// Command check tells whether this release goes on with the trials of a live
// system. It is run by duroxide export --check.
package main

import (
	"log"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
	"github.com/duroxide/duroxide-go/examples/replaycheck"
)

func main() {
	reg := durable.NewRegistry()
	if err := replaycheck.Register(reg); err != nil {
		log.Fatal(err)
	}
	durabletest.CheckMain(reg)
}
