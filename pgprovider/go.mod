module github.com/duroxide/duroxide-go/pgprovider

go 1.26.0

require (
	github.com/duroxide/duroxide-go/core v0.1.0
	github.com/duroxide/duroxide-go/migrations v0.1.0
	github.com/duroxide/duroxide-go/notifier v0.1.0
	github.com/duroxide/duroxide-go/validation v0.1.0
	github.com/google/go-cmp v0.7.0
	github.com/jackc/pgx/v5 v5.12.0
	github.com/lib/pq v1.12.3
	go.uber.org/goleak v1.3.0
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
