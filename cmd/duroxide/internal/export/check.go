package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// historiesEnv tells durabletest.CheckMain where the files are.
const historiesEnv = "DUROXIDE_HISTORIES"

// Check runs a program that calls durabletest.CheckMain on the files in a
// folder. It returns an error when the program does not end well, which it does
// not when it finds differences.
func Check(ctx context.Context, dir string, program []string, stdout, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append(os.Environ(), historiesEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	_, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case ran:
		return fmt.Errorf("the check by %s failed: %w", program[0], err)
	case err != nil:
		return fmt.Errorf("--check: %w", err)
	}
	return nil
}
