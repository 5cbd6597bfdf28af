package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const mavenCentral = "https://repo1.maven.org/maven2"

// embeddedVersions are the versions that the library knows by major version.
var embeddedVersions = map[int]embeddedpostgres.PostgresVersion{
	14: embeddedpostgres.V14,
	15: embeddedpostgres.V15,
	16: embeddedpostgres.V16,
	17: embeddedpostgres.V17,
	18: embeddedpostgres.V18,
}

func embeddedVersion(want version) embeddedpostgres.PostgresVersion {
	if want.major == 0 {
		return embeddedVersions[newestMajor]
	}
	if want.minor == "" {
		return embeddedVersions[want.major]
	}
	return embeddedpostgres.PostgresVersion(want.String() + ".0")
}

// fetchEmbedded returns a directory of server programs, which it fetches unless
// the cache has them.
func fetchEmbedded(ctx context.Context, cfg *config, acct account) (bin string, err error) {
	cache := cfg.cache
	if cache == "" {
		if cache, err = cacheDir(acct); err != nil {
			return "", err
		}
	}
	ver := embeddedVersion(cfg.version)
	dir := filepath.Join(cache, fmt.Sprintf("postgresql-%s-%s-%s", ver, runtime.GOOS, runtime.GOARCH))
	bin = filepath.Join(dir, "bin")
	if checkBinaries(ctx, bin, cfg.version) == nil {
		return bin, nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return "", err
	}
	cfg.logf("fetching PostgreSQL %s from %s", ver, cfg.repository)

	// The library's requests know no context: a cancelled caller leaves, and the
	// goroutine ends with the request.
	done := make(chan error, 1)
	go func() {
		err := unpackEmbedded(context.WithoutCancel(ctx), cfg, ver, staging, dir)
		done <- errors.Join(err, os.RemoveAll(staging))
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case err := <-done:
		return bin, err
	}
}

// unpackEmbedded lets the library fetch and unpack below staging, and moves the
// result to dir.
//
// The library has no call that only does this. Its Start would also run the
// server, which it cannot do as root. So it is given a data directory that it
// takes for complete and that no server accepts: its Start fails after
// unpacking, always, and what it left tells whether the unpacking went well.
func unpackEmbedded(ctx context.Context, cfg *config, ver embeddedpostgres.PostgresVersion, staging, dir string) error {
	data := filepath.Join(staging, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(ver), 0o600); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	unpacked := filepath.Join(staging, "server")
	startErr := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(ver).
		BinaryRepositoryURL(cfg.repository).
		CachePath(staging).
		BinariesPath(unpacked).
		RuntimePath(filepath.Join(staging, "run")).
		DataPath(data).
		Port(uint32(port)).
		Logger(io.Discard)).Start()
	if err := checkBinaries(ctx, filepath.Join(unpacked, "bin"), cfg.version); err != nil {
		if errors.Is(err, fs.ErrNotExist) && startErr != nil {
			err = startErr
		}
		return fmt.Errorf("fetching PostgreSQL %s from %s: %w", ver, cfg.repository, err)
	}
	err = os.Rename(unpacked, dir)
	if err != nil && checkBinaries(ctx, filepath.Join(dir, "bin"), cfg.version) == nil {
		return nil // another process was faster
	}
	return err
}

// cacheDir is the user's cache directory, or a system-wide one where the
// account that runs the server cannot reach that of root.
func cacheDir(acct account) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil || !acct.reaches(dir) {
		if !acct.other {
			return "", err
		}
		dir = "/var/cache"
	}
	return filepath.Join(dir, "duroxide-pgtest"), nil
}
