// Command durablevet reports what does not belong in orchestration code:
//
//	go install github.com/duroxide/duroxide-go/durable/vet/cmd/durablevet@latest
//	go vet -vettool="$(which durablevet)" ./...
//
// Run without go vet, as durablevet ./..., it prints the same findings.
// Package [github.com/duroxide/duroxide-go/durable/vet] says what they are.
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/duroxide/duroxide-go/durable/vet"
)

func main() { singlechecker.Main(vet.Analyzer) }
