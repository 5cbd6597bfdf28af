package server

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseDotEnv(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]string{
		"":                                {},
		"# only a comment\n\n":            {},
		"A=b":                             {"A": "b"},
		"A=b\r\nC=d\r\n":                  {"A": "b", "C": "d"},
		"  export A = b  ":                {"A": "b"},
		"A=":                              {"A": ""},
		"A= # nothing":                    {"A": ""},
		"A=b # why":                       {"A": "b"},
		"A=postgres://u:p#w@h/d?x=y":      {"A": "postgres://u:p#w@h/d?x=y"},
		`A="b # c" # why`:                 {"A": "b # c"},
		`A='b "c"'`:                       {"A": `b "c"`},
		`A=host=h password='a b' user=$U`: {"A": "host=h password='a b' user=$U"},
		"A=1\nA=2":                        {"A": "2"},
	} {
		got, err := parseDotEnv(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseDotEnvErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A=1\nsecret":    "line 2: want NAME=VALUE",
		"=secret":        "line 1: want NAME=VALUE",
		"A B=secret":     "line 1: want NAME=VALUE",
		`A="secret`:      "line 1: A: a closing quote is missing",
		`A="secret" too`: "line 1: A: text after the closing quote",
	} {
		_, err := parseDotEnv(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestReadDotEnvUpToRepository(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".env", "A=outside")
	write("repo/.git/HEAD", "")
	write("repo/.env", "A=root")
	write("repo/a/b/file", "")
	write("repo/c/.env", "A=near")
	write("repo/bad/.env", "bad")
	write("bare/.git", "gitdir: elsewhere")
	write("bare/a/file", "")

	for dir, want := range map[string]string{
		"repo":     "root",
		"repo/a/b": "root",
		"repo/c":   "near",
		"bare/a":   "", // stops at the root of the repository
	} {
		_, values, err := readDotEnv(filepath.Join(root, dir))
		if err != nil || values["A"] != want {
			t.Errorf("%s: %q, %v, want %q", dir, values["A"], err, want)
		}
	}
	_, _, err := readDotEnv(filepath.Join(root, "repo/bad"))
	if err == nil || !strings.Contains(err.Error(), ".env: line 1") {
		t.Errorf("error %v, want file and line", err)
	}
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	t.Parallel()
	env := fakeEnvironment("A", "set", "B", "")
	env.file, env.values = ".env", map[string]string{"A": "file", "B": "file", "C": "file"}
	for name, want := range map[string][2]string{
		"A": {"set", "A"},
		"B": {"", "B"}, // set to nothing turns the file's value off
		"C": {"file", "C in .env"},
		"D": {"", "D"},
	} {
		if value, from := env.get(name); value != want[0] || from != want[1] {
			t.Errorf("%s: %q from %q, want %q", name, value, from, want)
		}
	}
}
