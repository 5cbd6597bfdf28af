module github.com/duroxide/duroxide-go/pgtest

go 1.26.0
