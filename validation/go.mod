module github.com/duroxide/duroxide-go/validation

go 1.26.0

require (
	github.com/duroxide/duroxide-go/core v0.1.0
	github.com/google/go-cmp v0.7.0
	go.uber.org/goleak v1.3.0
)
