package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/tools/migdiff/internal/sqlfile"
)

// verify fails unless the server has exactly the functions that the files were
// understood to make.
func verify(file string, want functions, got map[overload]serverFunction) error {
	var all []error
	report := func(key overload, format string, args ...any) {
		all = append(all, fmt.Errorf("%s: function %s(%s): %s", file, key.name, key.types, fmt.Sprintf(format, args...)))
	}
	for key, w := range want {
		g, ok := got[key]
		if !ok {
			report(key, "the files make it, the server does not have it")
			continue
		}
		for _, part := range []struct{ what, files, server string }{
			{"arguments", w.Identity(), g.Identity},
			{"result", w.Result, g.Result},
			{"number of defaults", fmt.Sprint(w.Defaults()), fmt.Sprint(g.Defaults)},
			{"language", w.Language, g.Language},
			{"attributes", strings.Join(w.Attributes, ", "), strings.Join(g.Attributes, ", ")},
			{"settings", strings.Join(w.Settings, ", "), strings.Join(g.Settings, ", ")},
			{"body", sqlfile.Normalise(w.Body), sqlfile.Normalise(g.Body)},
		} {
			if part.files != part.server {
				report(key, "%s: the files say\n%s\nand the server has\n%s", part.what, part.files, part.server)
			}
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			report(key, "the server has it, but no statement that makes it was found in the files")
		}
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(all...)
}
