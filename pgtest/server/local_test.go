package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeBinaries makes a directory of programs that only know their version.
func fakeBinaries(t *testing.T, dir, version string, names ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLocalDirsNewestFirst(t *testing.T) {
	t.Setenv("PATH", "")
	dir := t.TempDir()
	for _, v := range []string{"9", "16", "15"} {
		fakeBinaries(t, filepath.Join(dir, v, "bin"), v)
	}
	got := localDirs(t.Context(), []string{filepath.Join(dir, "*", "bin")})
	for i, v := range []string{"16", "15", "9"} {
		if want := filepath.Join(dir, v, "bin"); len(got) != 3 || got[i] != want {
			t.Fatalf("%v, want %s at %d", got, want, i)
		}
	}
}

func TestLocalDirsPathFirst(t *testing.T) {
	dir := t.TempDir()
	real := fakeBinaries(t, filepath.Join(dir, "real"), "16.1", "initdb")
	links := filepath.Join(dir, "links")
	if err := os.Mkdir(links, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(real, "initdb"), filepath.Join(links, "initdb")); err != nil {
		t.Fatal(err)
	}
	// pg_config answers with the directory of the programs.
	script := "#!/bin/sh\necho /configured\n"
	if err := os.WriteFile(filepath.Join(links, "pg_config"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links)
	if real, err := filepath.EvalSymlinks(real); err != nil || !slices.Equal(localDirs(t.Context(), nil), []string{real, links, "/configured"}) {
		t.Errorf("%v, %v", localDirs(t.Context(), nil), err)
	}
}

func TestFirstUsable(t *testing.T) {
	t.Parallel()
	all := []string{"initdb", "pg_ctl", "postgres"}
	dir := t.TempDir()
	old := fakeBinaries(t, filepath.Join(dir, "old"), "13.9", all...)
	partial := fakeBinaries(t, filepath.Join(dir, "partial"), "16.1", "initdb", "postgres")
	v15 := fakeBinaries(t, filepath.Join(dir, "v15"), "15.2 (Debian 15.2-1)", all...)
	v16 := fakeBinaries(t, filepath.Join(dir, "v16"), "16.1", all...)

	for want, dirs := range map[string][]string{
		v15: {old, partial, v15, v16},
		v16: {filepath.Join(dir, "none"), v16, v15},
	} {
		if got, err := firstUsable(t.Context(), dirs, version{}); err != nil || got != want {
			t.Errorf("%v: %s, %v, want %s", dirs, got, err, want)
		}
	}
	if got, err := firstUsable(t.Context(), []string{v15, v16}, version{major: 16}); err != nil || got != v16 {
		t.Errorf("%s, %v, want %s", got, err, v16)
	}

	_, err := firstUsable(t.Context(), []string{old, partial, v15}, version{major: 16})
	if err == nil {
		t.Fatal("found something")
	}
	for _, want := range []string{old + ": version 13.9 is older than 14", partial + "/pg_ctl", v15 + ": version 15.2, but 16 is wanted"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if _, err := firstUsable(t.Context(), nil, version{}); err == nil || !strings.Contains(err.Error(), "no initdb in PATH") {
		t.Errorf("error %v", err)
	}
}

func TestInitdbFailure(t *testing.T) {
	t.Parallel()
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := worldDir(t)
	bin := fakeBinaries(t, filepath.Join(dir, "bin"), "16.1", "pg_ctl", "postgres")
	script := "#!/bin/sh\necho no space left; exit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "initdb"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg, err := resolve(nil, fakeEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	c, err := startCluster(t.Context(), cfg, acct, bin)
	if err == nil || !strings.Contains(err.Error(), "initdb: exit status 1: no space left") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(c.dir); err == nil {
		t.Errorf("directory %s is left", c.dir)
	}
}

// worldDir is a temporary directory that every account may use, as /tmp.
func worldDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "server-test-") //nolint:usetesting // T.TempDir is closed to other accounts.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}
