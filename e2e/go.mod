module github.com/duroxide/duroxide-go/e2e

go 1.26.0
