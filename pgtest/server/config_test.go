package server

import (
	"slices"
	"strings"
	"testing"
)

func TestResolveErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		opts *Options
		env  []string
		want string
	}{
		{env: []string{"PGTEST_SOURCE", "docker"}, want: `PGTEST_SOURCE="docker": want url, local or embedded`},
		{env: []string{"PGTEST_VERSION", "9"}, want: `PGTEST_VERSION="9": want a version from 14 to 18`},
		{env: []string{"PGTEST_VERSION", "99999999999999999999"}, want: `want a major version`},
		{env: []string{"PGTEST_VERSION", "latest"}, want: `PGTEST_VERSION="latest": want a major version, or major and minor as in 16.4`},
		{env: []string{"PGTEST_VERSION", "16.4.1"}, want: `PGTEST_VERSION="16.4.1"`},
		{opts: &Options{Source: "x"}, want: `Options.Source="x"`},
		{opts: &Options{Version: "x"}, want: `Options.Version="x"`},
		{opts: &Options{MaxConnections: -1}, want: `Options.MaxConnections=-1`},
	} {
		_, err := resolve(tc.opts, fakeEnvironment(tc.env...))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v %v: error %v, want %q", tc.opts, tc.env, err, tc.want)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  []string
		want []Source
	}{
		{nil, []Source{SourceLocal, SourceEmbedded}},
		{[]string{"DATABASE_URL", "postgres://"}, []Source{SourceURL}},
		{[]string{"DATABASE_URL", ""}, []Source{SourceLocal, SourceEmbedded}},
		{[]string{"DATABASE_URL", "postgres://", "PGTEST_SOURCE", "local"}, []Source{SourceLocal}},
		{[]string{"PGTEST_SOURCE", "embedded"}, []Source{SourceEmbedded}},
		{[]string{"PGTEST_VERSION", "16"}, []Source{SourceLocal, SourceEmbedded}},
	} {
		cfg, err := resolve(nil, fakeEnvironment(tc.env...))
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.order(); !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, want %v", tc.env, got, tc.want)
		}
	}
}

func TestVersionCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want, reported string
		ok             bool
	}{
		{"", "14.1", true},
		{"", "19beta1", true},
		{"", "13.9", false},
		{"", "devel", false},
		{"16", "16.4", true},
		{"16", "17.0", false},
		{"16.4", "16.4", true},
		{"16.4.0", "16.4", true},
		{"16.4", "16.5", false},
		{"16.4", "16beta1", false},
	} {
		var v version
		if tc.want != "" {
			var err error
			if v, err = parseVersion(tc.want); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.check(tc.reported); (err == nil) != tc.ok {
			t.Errorf("want %q, reported %q: %v", tc.want, tc.reported, err)
		}
	}
}
