// Package demo is the demonstration behind "duroxide demo": orders go through a
// durable workflow in several worker processes, one of which is killed halfway,
// and then everything is checked.
//
//	good, refused, err := orders.Parse(orders.Sample())
//	err = demo.Run(ctx, demo.Options{
//		Store: demo.Postgres, Schema: "duroxide_demo", Workers: 2, Orders: good, Refused: refused,
//		Program: os.Args[0], Command: []string{"demo-worker"},
//		Screen: demo.Screen{Out: os.Stdout},
//	})
//
// [Run] is the parent: it prepares the store (store.go), which is a schema of
// PostgreSQL (postgres.go, schema.go) or a file of SQLite (sqlite.go), owns the
// worker processes (fleet.go), starts the orders (arrivals.go), watches them through the
// database (show.go, watch.go), kills a worker (crash.go), and checks and reports
// at the end (check.go, report.go, timeline.go). [Work] is one worker process.
// The two sides share nothing but the store; a pipe that ends tells a worker
// that its parent is gone.
package demo
