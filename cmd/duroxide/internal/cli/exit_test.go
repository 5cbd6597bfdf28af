package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/duroxide/duroxide-go/cmd/duroxide/internal/demo"
	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{context.Canceled, 1},
		{usagef("--x: %w", migrations.ErrInvalidSchemaName), 2},
		{fmt.Errorf("open: %w", fs.ErrNotExist), 3},
		{core.Permanent("get_instance_info", core.ErrNotFound), 3},
		{fmt.Errorf("verify: %w", migrations.ErrBehind), 4},
		{fmt.Errorf("verify: %w", migrations.ErrUnknownVersion), 4},
		{&migrations.PartialError{Err: errors.New("syntax error")}, 4},
		{fmt.Errorf("demo: %w", demo.ErrSchema), 4},
		{fmt.Errorf("demo: %w", demo.ErrNoServer), 5},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%v is %d, want %d", test.err, got, test.want)
		}
	}
}
