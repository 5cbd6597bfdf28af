package durable_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core/memprovider"
	"github.com/duroxide/duroxide-go/durable"
)

// The history of a live instance, with placeholders for what it carries: a
// header, and a line for each event.
func ExampleClient_ExportHistory() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	reg := durable.NewRegistry()
	err := reg.Add(
		Greet.With(func(_ context.Context, name string) (string, error) { return "Hello, " + name + "!", nil }),
		Hello.With(func(ctx *durable.Context, name string) (string, error) { return Greet.Call(ctx, name) }),
	)
	if err != nil {
		panic(err)
	}
	provider := memprovider.New(nil)
	rt, err := durable.NewRuntime(provider, reg, nil)
	if err != nil {
		panic(err)
	}
	if err := rt.Start(ctx); err != nil {
		panic(err)
	}
	defer func() { _ = rt.Shutdown(ctx) }()
	client := durable.NewClient(provider, nil)
	run, err := Hello.Start(ctx, client, "greet-1", "Bob")
	if err != nil {
		panic(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		panic(err)
	}

	var file bytes.Buffer
	if err := client.ExportHistory(ctx, &file, "greet-1", &durable.ExportOptions{Redact: true}); err != nil {
		panic(err)
	}
	lines := bytes.Split(bytes.TrimSpace(file.Bytes()), []byte("\n"))
	fmt.Printf("%s\n%d events, Bob: %v\n", lines[0], len(lines)-1, bytes.Contains(file.Bytes(), []byte("Bob")))
	// Output:
	// {"format":"duroxide-history/1","instance_id":"greet-1","execution_id":1,"orchestration_name":"hello","orchestration_version":"1.0.0","redacted":true,"kv":{},"event_count":4}
	// 4 events, Bob: false
}
