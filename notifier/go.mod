module github.com/duroxide/duroxide-go/notifier

go 1.26.0
