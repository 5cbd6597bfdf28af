package durabletest

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
)

// HistoriesEnv is the environment variable that names, for [CheckMain], the
// directory with the histories.
const HistoriesEnv = "DUROXIDE_HISTORIES"

// Replay replays recorded histories with the code of the registry. The test
// fails, with each [Difference], when the code does not repeat what they record.
// See [Check] for the paths.
func Replay(t testing.TB, reg *durable.Registry, paths ...string) {
	t.Helper()
	report, err := Check(reg, nil, paths...)
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range report.Notes {
		t.Log("note: " + note)
	}
	for _, d := range report.Differences {
		t.Errorf("the code does not repeat a recorded history\n%s", d)
	}
}

// CheckMain is the main function of a program that tells whether the code of
// the registry can go on with the instances of a live system:
//
//	duroxide export --check ./program
//
// It replays the histories in the directory that [HistoriesEnv] names, else
// those that the arguments name, prints the differences, and ends the process:
// with 0 when there are none, 1 when there are, 2 when the histories cannot be
// read.
func CheckMain(reg *durable.Registry) {
	paths := os.Args[1:]
	if dir := os.Getenv(HistoriesEnv); dir != "" {
		paths = []string{dir}
	}
	os.Exit(checkMain(reg, paths, os.Stdout, os.Stderr))
}

func checkMain(reg *durable.Registry, paths []string, stdout, stderr io.Writer) int {
	report, err := Check(reg, nil, paths...)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	for _, note := range report.Notes {
		fmt.Fprintln(stdout, "note: "+note)
	}
	for _, d := range report.Differences {
		fmt.Fprintln(stdout, d)
	}
	if n := len(report.Differences); n > 0 {
		fmt.Fprintf(stdout, "%d of %d executions do not go on with this code\n", n, report.Executions)
		return 1
	}
	fmt.Fprintf(stdout, "%d executions, %d turns: the code repeats them all\n", report.Executions, report.Turns)
	return 0
}
