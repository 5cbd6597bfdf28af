package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// installations are where packages put server programs beside the PATH: Debian,
// Red Hat, Homebrew on both of its prefixes.
var installations = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// findLocal returns the first directory of server programs that has the wanted
// version.
func findLocal(ctx context.Context, want version) (bin string, err error) {
	dirs := localDirs(ctx, installations)
	return firstUsable(ctx, dirs, want)
}

func firstUsable(ctx context.Context, dirs []string, want version) (bin string, err error) {
	if len(dirs) == 0 {
		return "", fmt.Errorf("no initdb in PATH, no %s, no pg_config", strings.Join(installations, ", no "))
	}
	var reasons []error
	for _, dir := range dirs {
		if err := checkBinaries(ctx, dir, want); err != nil {
			reasons = append(reasons, fmt.Errorf("%s: %w", dir, err))
			continue
		}
		return dir, nil
	}
	return "", errors.Join(reasons...)
}

func localDirs(ctx context.Context, patterns []string) []string {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		// The real place says more than a directory of links.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // only a malformed pattern does this
		}
		slices.SortFunc(found, newestFirst)
		dirs = append(dirs, found...)
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	var unique []string
	for _, dir := range dirs {
		if !slices.Contains(unique, dir) {
			unique = append(unique, dir)
		}
	}
	return unique
}

var digits = regexp.MustCompile(`\d+`)

func newestFirst(a, b string) int {
	number := func(dir string) int {
		all := digits.FindAllString(dir, -1)
		if len(all) == 0 {
			return 0
		}
		n, err := strconv.Atoi(all[len(all)-1])
		if err != nil {
			return 0
		}
		return n
	}
	return cmp.Compare(number(b), number(a))
}

// checkBinaries makes sure that the programs we run are there and that the
// server has the wanted version.
func checkBinaries(ctx context.Context, dir string, want version) error {
	for _, name := range []string{"initdb", "pg_ctl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return fmt.Errorf("postgres --version: %w", err)
	}
	// postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return fmt.Errorf("postgres --version says %q", out)
	}
	return want.check(fields[2])
}
