package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// environment answers with the value of a variable and where it stands.
type environment struct {
	lookup func(name string) (string, bool)
	file   string // the .env file that was read, or empty
	values map[string]string

	repository string // see config
	cache      string // see config
}

func readEnvironment() (environment, error) {
	env := environment{lookup: os.LookupEnv, repository: mavenCentral}
	dir, err := os.Getwd()
	if err != nil {
		return env, err
	}
	env.file, env.values, err = readDotEnv(dir)
	return env, err
}

// get returns "" for a variable that is unset or empty. The second result names
// the variable, and the file if it stands there.
func (e environment) get(name string) (value, from string) {
	if v, ok := e.lookup(name); ok {
		return v, name
	}
	if v, ok := e.values[name]; ok {
		return v, name + " in " + e.file
	}
	return "", name
}

// readDotEnv reads the nearest file .env in dir or a parent of it, up to the
// root of the repository. Outside a repository only dir counts.
func readDotEnv(dir string) (file string, values map[string]string, err error) {
	for _, d := range upToRoot(dir) {
		file := filepath.Join(d, ".env")
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		values, err := parseDotEnv(string(text))
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", file, err)
		}
		return file, values, nil
	}
	return "", nil, nil
}

func upToRoot(dir string) []string {
	dirs := []string{dir}
	for d := dir; ; {
		if _, err := os.Stat(filepath.Join(d, ".git")); err == nil {
			return dirs
		}
		parent := filepath.Dir(d)
		if parent == d {
			return []string{dir}
		}
		d = parent
		dirs = append(dirs, d)
	}
}

// parseDotEnv knows NAME=VALUE lines, with an optional "export", quotes around
// the value and comments. It expands nothing. Its errors never repeat a value.
func parseDotEnv(text string) (map[string]string, error) {
	values := make(map[string]string)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "export "); ok {
			line = rest
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
			return nil, fmt.Errorf("line %d: want NAME=VALUE", i+1)
		}
		value, err := dotEnvValue(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", i+1, name, err)
		}
		values[name] = value
	}
	return values, nil
}

func dotEnvValue(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if q := s[:1]; q == `"` || q == "'" {
		value, rest, ok := strings.Cut(s[1:], q)
		if !ok {
			return "", errors.New("a closing quote is missing")
		}
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
			return "", errors.New("text after the closing quote")
		}
		return value, nil
	}
	// A # in the middle of a word belongs to the value, as in a URL.
	if i := strings.Index(s, " #"); i >= 0 {
		s = s[:i]
	}
	if s[0] == '#' {
		return "", nil
	}
	return strings.TrimSpace(s), nil
}
