module github.com/duroxide/duroxide-go/migrations

go 1.26.0
