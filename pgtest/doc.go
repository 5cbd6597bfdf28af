// Command pgtest runs another command with a PostgreSQL server at hand.
//
//	go run ./pgtest [-durable] -- COMMAND [ARGUMENT…]
//
// It finds or starts a server as package server describes, runs COMMAND with
// DATABASE_URL set, passes signals on to it, stops the server when COMMAND has
// ended, and exits with COMMAND's exit code. (go run itself turns every exit
// code but 0 into 1; build the command to see the others.)
package main
