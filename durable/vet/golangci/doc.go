// Package golangci is the analyser of package
// [github.com/duroxide/duroxide-go/durable/vet] as a plugin of golangci-lint, which
// is built into a binary of its own by golangci-lint custom. The file
// .custom-gcl.yml names the module:
//
//	version: v2.15.0
//	plugins:
//	  - module: github.com/duroxide/duroxide-go/durable/vet/golangci
//	    version: v0.1.0
//
// and .golangci.yml switches the linter on:
//
//	version: "2"
//	linters:
//	  enable: [durablevet]
//	  settings:
//	    custom:
//	      durablevet:
//	        type: module
//	        description: orchestrations that are not deterministic
//
// A comment "//nolint:durablevet // reason" is golangci-lint's own; the comment
// "//durable:allow reason" works everywhere.
package golangci
