module example.com/stranger

go 1.26.0

require (
	github.com/duroxide/duroxide-go/core v0.1.0
	github.com/duroxide/duroxide-go/validation v0.1.0
)

require github.com/google/go-cmp v0.7.0 // indirect
