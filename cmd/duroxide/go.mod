module github.com/duroxide/duroxide-go/cmd/duroxide

go 1.26.0
