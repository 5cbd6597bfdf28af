package server_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/duroxide/duroxide-go/pgtest/server"
)

func ExampleStart() {
	ctx := context.Background()
	srv, err := server.Start(ctx, &server.Options{Durable: true, Logf: log.Printf})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := srv.Stop(); err != nil {
			log.Print(err)
		}
	}()
	log.Print(srv.Description)

	conn, err := pgx.Connect(ctx, srv.URL)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	var sum int
	if err := conn.QueryRow(ctx, "SELECT 1 + 1").Scan(&sum); err != nil {
		log.Print(err)
		return
	}
	fmt.Println(sum)
	// Output: 2
}
