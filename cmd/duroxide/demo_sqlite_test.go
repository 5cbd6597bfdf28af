package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/duroxide/duroxide-go/examples/orders"
	"github.com/duroxide/duroxide-go/examples/orders/sqliteledger"
	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// The same demo on one file that all its processes share. The file stays, and
// another demo leaves it alone.
func TestDemoSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, ":memory:") // a name like any other
	demo := func() result {
		cmd := command(t, "demo", "--store", "sqlite", "--file", ":memory:", "--orders", ordersFile(t))
		cmd.Dir = dir
		return finish(t, cmd)
	}
	r := demo()
	r.wantSurvived(t)
	r.want(t, 0, "SQLite, file "+path, "File "+path+" stays for you to look at")
	checkDemoFile(t, path)

	demo().want(t, 4, path+" exists", "choose another with --file")
	checkDemoFile(t, path)
}

// checkDemoFile looks itself at what the demo reported.
func checkDemoFile(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ledger, err := sqliteledger.New(db)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ledger.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	count := map[orders.Kind]int{}
	for _, e := range entries {
		count[e.Kind]++
	}
	if len(entries) != 77 || count[orders.Shipped] != 11 || count[orders.Charged]-count[orders.Refunded] != 11 {
		t.Errorf("%d entries: %v", len(entries), count)
	}
	p, err := sqliteprovider.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	m, err := p.GetSystemMetrics(t.Context())
	if err != nil || m.RunningInstances != 0 || m.CompletedInstances < 16 {
		t.Errorf("metrics %+v, error %v", m, err)
	}
}

// Without a name the file is gone with the demo, also with one that is stopped.
func TestDemoSQLiteLeavesNothing(t *testing.T) {
	t.Parallel()
	cmd := command(t, "demo", "--store", "sqlite")
	dir := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if stopped || !strings.Contains(lines.Text(), "of 190 orders through") {
			continue
		}
		if during := filesIn(t, dir); len(during) != 1 {
			t.Errorf("while it runs: %v", during)
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		stopped = true
	}
	_ = cmd.Wait() // the code tells more
	if code := cmd.ProcessState.ExitCode(); code != 1 || stderr.String() != "duroxide demo: interrupted\n" {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
	if left := filesIn(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
