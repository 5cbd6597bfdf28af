module github.com/duroxide/duroxide-go/core

go 1.26.0
