package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func requireLocal(t *testing.T) {
	t.Helper()
	if _, err := findLocal(t.Context(), version{}); err != nil {
		t.Skipf("no server programs on this machine: %v", err)
	}
}

func startLocal(t *testing.T, opts Options) *Server {
	t.Helper()
	requireLocal(t)
	opts.Source = SourceLocal
	s, err := start(t.Context(), &opts, fakeEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// show asks a server for a setting.
func show(t *testing.T, url, setting string) string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	res, err := conn.Exec(t.Context(), "SHOW "+setting).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return string(res[0].Rows[0][0])
}

func checkSettings(t *testing.T, url string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := show(t, url, name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

// checkGone makes sure that nothing of a stopped server is left.
func checkGone(t *testing.T, s *Server) {
	t.Helper()
	if conn, err := pgconn.Connect(t.Context(), s.URL); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server still answers")
	}
	if _, err := os.Stat(s.cluster.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory %s: %v, want it gone", s.cluster.dir, err)
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	s := startLocal(t, Options{})
	checkSettings(t, s.URL, map[string]string{
		"max_connections":         "300",
		"fsync":                   "off",
		"synchronous_commit":      "on",
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"server_encoding":         "UTF8",
	})
	for _, want := range []string{"PostgreSQL ", s.cluster.bin, "on port " + strconv.Itoa(s.cluster.port), "fsync off"} {
		if !strings.Contains(s.Description, want) {
			t.Errorf("description %q does not say %q", s.Description, want)
		}
	}
	if strings.Contains(s.Description, s.cluster.password) {
		t.Error("the description holds the password")
	}
	if s.Source != SourceLocal {
		t.Errorf("source %q", s.Source)
	}

	withoutPassword := strings.Replace(s.URL, s.cluster.password, "x", 1)
	if conn, err := pgconn.Connect(t.Context(), withoutPassword); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password is accepted")
	}

	for range 2 {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
	checkGone(t, s)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	s := startLocal(t, Options{
		Durable:        true,
		MaxConnections: 40,
		Settings:       map[string]string{"work_mem": "5MB", "application_name": "it's quoted"},
	})
	checkSettings(t, s.URL, map[string]string{
		"max_connections":  "40",
		"fsync":            "on",
		"full_page_writes": "on",
		"work_mem":         "5MB",
		"application_name": "it's quoted",
	})
	if !strings.Contains(s.Description, "fsync on") {
		t.Errorf("description %q", s.Description)
	}
}

func TestBadSetting(t *testing.T) {
	t.Parallel()
	requireLocal(t)
	opts := &Options{Source: SourceLocal, Settings: map[string]string{"no_such_setting": "1"}}
	_, err := start(t.Context(), opts, fakeEnvironment())
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v, want the server's own words", err)
	}
}

func TestStopTellsThatServerEndedByItself(t *testing.T) {
	t.Parallel()
	s := startLocal(t, Options{})
	if err := s.cluster.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.cluster.ended
	if err := s.Stop(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("error %v", err)
	}
	checkGone(t, s)
}

func TestStartCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("changed my mind")
	cancel(why)
	for _, src := range []Source{SourceLocal, SourceEmbedded} {
		if _, err := Start(ctx, &Options{Source: src}); !errors.Is(err, why) {
			t.Errorf("%s: error %v, want %v", src, err, why)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	running := startLocal(t, Options{})

	s, err := start(t.Context(), nil, fakeEnvironment("DATABASE_URL", running.URL))
	if err != nil {
		t.Fatal(err)
	}
	if s.URL != running.URL || s.Source != SourceURL {
		t.Errorf("URL and source %q", s.Source)
	}
	if !strings.Contains(s.Description, "from DATABASE_URL at 127.0.0.1:") || strings.Contains(s.Description, running.cluster.password) {
		t.Errorf("description %q", s.Description)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	show(t, running.URL, "fsync") // still there

	_, err = start(t.Context(), &Options{Version: "18.99"}, fakeEnvironment("DATABASE_URL", running.URL))
	if err == nil || !strings.Contains(err.Error(), "18.99 is wanted") {
		t.Errorf("error %v, want the version refused", err)
	}
}

func TestURLErrors(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env  environment
		opts *Options
		want string
	}{
		"not set": {
			env: fakeEnvironment(), opts: &Options{Source: SourceURL},
			want: "url: DATABASE_URL is not set",
		},
		"nobody there": {
			env:  fakeEnvironment("DATABASE_URL", "postgres://u:"+secret+"@127.0.0.1:"+strconv.Itoa(port)+"/d"),
			want: "url: DATABASE_URL: failed to connect",
		},
		"malformed": {
			env:  fakeEnvironment("DATABASE_URL", "postgres://u:"+secret+"@host:port/d"),
			want: "url: DATABASE_URL: not a valid connection string",
		},
		"malformed in file": {
			env:  environment{lookup: noVariables, file: "x/.env", values: map[string]string{"DATABASE_URL": "password='" + secret}},
			want: "url: DATABASE_URL in x/.env: not a valid connection string",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := start(t.Context(), tc.opts, tc.env)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %v, want %q and no password", err, tc.want)
			}
		})
	}
}

func TestNoServerTellsEveryReason(t *testing.T) {
	t.Parallel()
	env := fakeEnvironment()
	env.repository, env.cache = "http://127.0.0.1:1", t.TempDir()
	_, err := start(t.Context(), &Options{Version: "14.0"}, env)
	if err == nil {
		t.Fatal("started")
	}
	for _, want := range []string{"no PostgreSQL server to be had", "\n  local: ", "\n  embedded: fetching PostgreSQL 14.0.0 from http://127.0.0.1:1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func noVariables(string) (string, bool) { return "", false }

// fakeEnvironment holds the pairs of names and values.
func fakeEnvironment(pairs ...string) environment {
	return environment{
		repository: mavenCentral,
		lookup: func(name string) (string, bool) {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1], true
				}
			}
			return "", false
		},
	}
}
