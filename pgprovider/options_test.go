package pgprovider

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/migrations"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	var none *Options
	o, err := none.resolve()
	if err != nil {
		t.Fatal(err)
	}
	want := LongPoll{
		RefreshInterval: 30 * time.Second, FloorInterval: 30 * time.Second, DegradedInterval: time.Second, Grace: 5 * time.Millisecond,
	}
	if o.Schema != "public" || o.Migrations != migrations.Apply || o.LongPoll != want {
		t.Errorf("defaults %+v", o)
	}
	if o.Clock != core.SystemClock() || o.Logger.Enabled(t.Context(), slog.LevelError) {
		t.Error("want the system's clock and no log")
	}
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]*Options{
		"Options.Schema: ":                    {Schema: "Upper"},
		"Options.Schema: invalid schema name": {Schema: `x"; DROP TABLE y`},
		"Options.Migrations: ":                {Migrations: 99},
		"Options.LongPoll.RefreshInterval: ":  {LongPoll: LongPoll{RefreshInterval: -1}},
		"Options.LongPoll.FloorInterval: ":    {LongPoll: LongPoll{FloorInterval: -1}},
		"Options.LongPoll.DegradedInterval: ": {LongPoll: LongPoll{DegradedInterval: -1}},
		"Options.LongPoll.Grace: ":            {LongPoll: LongPoll{Grace: -1}},
	} {
		if _, err := NewFromURL(t.Context(), "postgres://nowhere", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := New(t.Context(), nil, nil); err == nil {
		t.Error("accepted a nil pool")
	}
	_, err := NewFromURL(t.Context(), "postgres://u:secret@:x/", nil)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestPoolSize(t *testing.T) {
	const url = "postgres://localhost/x"
	for _, tt := range []struct {
		env, url string
		want     int32
	}{
		{"", url, 10},
		{"25", url, 25},
		{"0", url, 10},
		{"-3", url, 10},
		{"many", url, 10},
		{"4294967296", url, 10},
		{"2147483648", url, 10},
		{"25", url + "?pool_max_conns=7", 7},
	} {
		t.Setenv(PoolMaxEnv, tt.env)
		config, _, err := poolConfig(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if config.MaxConns != tt.want || config.MinConns != 1 {
			t.Errorf("%q, %s: %d to %d connections, want %d", tt.env, tt.url, config.MinConns, config.MaxConns, tt.want)
		}
	}
}

func TestConnectionParameters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url       string
		isolation string
		name      string
	}{
		{"postgres://localhost/x", "read committed", "duroxide-go"},
		{"postgres://localhost/x?application_name=mine&default_transaction_isolation=serializable", "read committed", "mine"},
		// A pooler would refuse the parameter.
		{"postgres://localhost/x?default_query_exec_mode=exec", "", "duroxide-go"},
	} {
		config, isolated, err := poolConfig(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		params := config.ConnConfig.RuntimeParams
		if params["default_transaction_isolation"] != tt.isolation || params["application_name"] != tt.name || isolated != (tt.isolation != "") {
			t.Errorf("%s: %v, isolated %v", tt.url, params, isolated)
		}
	}
}
