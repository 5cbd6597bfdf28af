package server

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
)

const (
	oldestMajor = 14
	newestMajor = 18 // the newest that the embedded source has

	defaultMaxConnections = 300
)

// config is Options and environment put together and checked.
type config struct {
	source   Source // empty: any
	version  version
	url      string
	urlFrom  string // "DATABASE_URL", or where else it was read
	settings map[string]string
	logf     func(format string, args ...any)

	// repository is where the embedded source fetches; tests change it.
	repository string
	// cache is where it keeps what it fetched; empty means the default place.
	cache string
}

func resolve(opts *Options, env environment) (*config, error) {
	if opts == nil {
		opts = new(Options)
	}
	cfg := &config{logf: opts.Logf, repository: env.repository, cache: env.cache}
	if cfg.logf == nil {
		cfg.logf = func(string, ...any) {}
	}

	src, from := string(opts.Source), "Options.Source"
	if src == "" {
		src, from = env.get("PGTEST_SOURCE")
	}
	switch cfg.source = Source(src); cfg.source {
	case "", SourceURL, SourceLocal, SourceEmbedded:
	default:
		return nil, fmt.Errorf("%s=%q: want url, local or embedded", from, src)
	}

	ver, from := opts.Version, "Options.Version"
	if ver == "" {
		ver, from = env.get("PGTEST_VERSION")
	}
	if ver != "" {
		v, err := parseVersion(ver)
		if err != nil {
			return nil, fmt.Errorf("%s=%q: %w", from, ver, err)
		}
		cfg.version = v
	}
	cfg.url, cfg.urlFrom = env.get("DATABASE_URL")

	conns := opts.MaxConnections
	if conns < 0 {
		return nil, fmt.Errorf("Options.MaxConnections=%d: want a positive number, or zero for %d", conns, defaultMaxConnections)
	}
	if conns == 0 {
		conns = defaultMaxConnections
	}
	cfg.settings = map[string]string{"max_connections": strconv.Itoa(conns)}
	if !opts.Durable {
		// synchronous_commit stays on: without fsync it costs next to nothing,
		// and code that sets it meets the same default as in production.
		cfg.settings["fsync"] = "off"
		cfg.settings["full_page_writes"] = "off"
	}
	maps.Copy(cfg.settings, opts.Settings)
	return cfg, nil
}

// order lists the sources to try.
func (c *config) order() []Source {
	switch {
	case c.source != "":
		return []Source{c.source}
	case c.url != "":
		return []Source{SourceURL}
	default:
		return []Source{SourceLocal, SourceEmbedded}
	}
}

// version is a wanted version of the server; the zero value wants any that is
// not too old.
type version struct {
	major int
	minor string // empty: any
}

var versionForm = regexp.MustCompile(`^(\d{1,3})(?:\.(\d{1,3}))?(?:\.0)?$`)

func parseVersion(text string) (version, error) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("want a major version, or major and minor as in 16.4")
	}
	major, err := strconv.Atoi(m[1])
	if err != nil || major < oldestMajor || major > newestMajor {
		return version{}, fmt.Errorf("want a version from %d to %d", oldestMajor, newestMajor)
	}
	return version{major: major, minor: m[2]}, nil
}

var reportedForm = regexp.MustCompile(`^(\d+)(?:\.(\d+))?`)

// check compares with what a server reports, such as "15.18" or "19beta1".
func (v version) check(reported string) error {
	m := reportedForm.FindStringSubmatch(reported)
	if m == nil {
		return fmt.Errorf("unknown version %q", reported)
	}
	major, err := strconv.Atoi(m[1])
	if err != nil || major < oldestMajor {
		return fmt.Errorf("version %s is older than %d", reported, oldestMajor)
	}
	if v.major != 0 && v.major != major || v.minor != "" && v.minor != m[2] {
		return fmt.Errorf("version %s, but %s is wanted", reported, v)
	}
	return nil
}

func (v version) String() string {
	if v.minor == "" {
		return strconv.Itoa(v.major)
	}
	return fmt.Sprintf("%d.%s", v.major, v.minor)
}
