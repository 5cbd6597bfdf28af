package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "modgraph:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	out, err := goCommand(ctx, ".", "env", "GOWORK")
	if err != nil {
		return err
	}
	work := strings.TrimSpace(string(out))
	if work == "" || work == "off" {
		return fmt.Errorf("no workspace: run it inside the repository, without GOWORK=off")
	}
	modules, err := load(ctx, filepath.Dir(work), table)
	if err != nil {
		return err
	}
	findings := check(modules, table, brings)
	for _, f := range findings {
		fmt.Println(f)
	}
	if n := len(findings); n > 0 {
		return fmt.Errorf("%d findings in %d modules", n, len(modules))
	}
	fmt.Printf("modgraph: %d modules keep the rules\n", len(modules))
	return nil
}
