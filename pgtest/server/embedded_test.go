package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestEmbedded fetches the server programs unless the user's cache has them.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	s, err := start(t.Context(), &Options{Source: SourceEmbedded, Logf: t.Logf}, fakeEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s.Description)
	checkSettings(t, s.URL, map[string]string{"max_connections": "300", "fsync": "off"})
	if s.Source != SourceEmbedded || !strings.Contains(s.Description, "PostgreSQL 18.") {
		t.Errorf("source %q, description %q", s.Source, s.Description)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	checkGone(t, s)
}

func TestEmbeddedVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "18.3.0", "14": "14.18.0", "17": "17.5.0", "16.4": "16.4.0"} {
		var v version
		if text != "" {
			var err error
			if v, err = parseVersion(text); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(embeddedVersion(v)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestEmbeddedFetchFailure(t *testing.T) {
	t.Parallel()
	repo := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(repo.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // the library's client
	env := fakeEnvironment()
	env.repository, env.cache = repo.URL, t.TempDir()

	_, err := start(t.Context(), &Options{Source: SourceEmbedded, Version: "17"}, env)
	if err == nil || !strings.Contains(err.Error(), "embedded: fetching PostgreSQL 17.5.0 from "+repo.URL+": no version found") {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(env.cache); err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

func TestEmbeddedFetchCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("changed my mind")
	release := make(chan struct{})
	repo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel(why)
		<-release
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(repo.Close)
	t.Cleanup(func() { close(release) })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	env := fakeEnvironment()
	env.repository, env.cache = repo.URL, worldDir(t)

	if _, err := start(ctx, &Options{Source: SourceEmbedded}, env); !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
}
