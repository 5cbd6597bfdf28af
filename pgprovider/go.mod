module github.com/duroxide/duroxide-go/pgprovider

go 1.26.0
