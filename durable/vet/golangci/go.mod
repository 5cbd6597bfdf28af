module github.com/duroxide/duroxide-go/durable/vet/golangci

go 1.26.0

require (
	github.com/duroxide/duroxide-go/durable/vet v0.1.0
	github.com/golangci/plugin-module-register v0.1.2
	golang.org/x/tools v0.48.0
)
