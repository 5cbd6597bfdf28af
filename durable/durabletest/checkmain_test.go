package durabletest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/durabletest"
)

// asProgram says that the test binary is to be a program that calls CheckMain:
// "good" with the code of the shop, "broken" with other code.
const asProgram = "DURABLETEST_PROGRAM"

// TestProgram is the program.
func TestProgram(t *testing.T) {
	which := os.Getenv(asProgram)
	if which == "" {
		t.Skip("run by TestCheckMain")
	}
	reg := shop(t)
	if which == "broken" {
		reg = shop(t, checkout.With(func(ctx *durable.Context, o Order) (string, error) { return ship.Call(ctx, o.ID) }))
	}
	os.Args = append(os.Args[:1], strings.Fields(os.Getenv("DURABLETEST_ARGS"))...)
	durabletest.CheckMain(reg)
}

func TestCheckMain(t *testing.T) {
	if os.Getenv(failing) != "" {
		t.Skip("in the process that fails")
	}
	file := waiting(t)
	for name, test := range map[string]struct {
		program, dir, args string
		code               int
		want               string
	}{
		"same code":  {"good", filepath.Dir(file), "", 0, "1 executions, 2 turns: the code repeats them all\n"},
		"arguments":  {"good", "", file + " " + filepath.Dir(file), 0, "2 executions, 4 turns: the code repeats them all\n"},
		"difference": {"broken", "", file, 1, "    recorded: activity \"charge\"\n    the code: activity \"ship\", at "},
		"count":      {"broken", filepath.Dir(file), "", 1, "1 of 1 executions do not go on with this code\n"},
		"no files":   {"good", t.TempDir(), "", 2, "no file in"},
		"nothing":    {"good", "", "", 2, "no histories are named"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProgram$")
			cmd.Env = append(os.Environ(), asProgram+"="+test.program, durabletest.HistoriesEnv+"="+test.dir, "DURABLETEST_ARGS="+test.args)
			out, _ := cmd.CombinedOutput() // the code tells more
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, out)
			}
		})
	}
}
