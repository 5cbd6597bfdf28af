module github.com/duroxide/duroxide-go/durable

go 1.26.0
