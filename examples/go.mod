module github.com/duroxide/duroxide-go/examples

go 1.26.0
