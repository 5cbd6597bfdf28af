// Command quickstart is the program of the README: an order is charged and then
// waits up to three days for an approval, in a process that may be killed and
// started again at any time.
//
//	DATABASE_URL=postgres://… go run ./examples/quickstart order-1
//	DATABASE_URL=postgres://… go run ./examples/quickstart approve order-1
package main
