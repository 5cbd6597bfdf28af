module github.com/duroxide/duroxide-go/tools/modgraph

go 1.26.0
