package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
	superuser    = "postgres"
)

// cluster is a data directory with a server that runs on it.
type cluster struct {
	acct     account
	bin      string
	dir      string   // holds everything that is removed at the end
	root     *os.Root // the same: whatever the account links there, we stay inside
	password string
	port     int

	cmd      *exec.Cmd
	ended    chan struct{} // closed when the server has ended
	exit     error         // how; valid once ended is closed
	watchdog *watchdog
}

func startCluster(ctx context.Context, cfg *config, acct account, bin string) (c *cluster, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %v", startTimeout))
	defer cancel()

	c = &cluster{acct: acct, bin: bin, password: rand.Text()}
	c.dir = filepath.Join(acct.tempDir(), "pgtest-"+rand.Text())
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if c.watchdog, err = startWatchdog(ctx, c); err != nil {
		return c, err
	}
	if c.root, err = os.OpenRoot(c.dir); err != nil {
		return c, err
	}
	if err := c.initdb(ctx); err != nil {
		return c, err
	}
	// A port that is free now may be taken when the server binds it.
	for range 5 {
		if c.port, err = freePort(ctx); err != nil {
			return c, err
		}
		if err = c.launch(ctx, cfg.settings); err == nil || !strings.Contains(err.Error(), "could not bind") {
			break
		}
	}
	return c, err
}

func (c *cluster) url() string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Files in the directory.
const (
	dataDir      = "data"
	logFile      = "log"
	passwordFile = "password"
)

func (c *cluster) data() string { return filepath.Join(c.dir, dataDir) }

func (c *cluster) initdb(ctx context.Context) error {
	if err := c.acct.writeFile(c.root, passwordFile, c.password); err != nil {
		return err
	}
	cmd := c.command(ctx, filepath.Join(c.bin, "initdb"),
		"--pgdata="+c.data(), "--username="+superuser, "--pwfile="+filepath.Join(c.dir, passwordFile),
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out)))
	}
	return c.root.Remove(passwordFile)
}

// command prepares a program that runs as the server's account. It gets no
// variable of ours but the PATH, because PGPORT and the like change what the
// programs do, and a process group of its own, because an interrupt from the
// terminal is for us: we stop the server in our own time.
func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C"}
	cmd.SysProcAttr = c.acct.sysProcAttr()
	return cmd
}

// launch runs the server until ended is closed and returns when it is ready.
func (c *cluster) launch(ctx context.Context, settings map[string]string) error {
	args := []string{
		"-D", c.data(),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port=" + strconv.Itoa(c.port),
		"-c", "unix_socket_directories=",
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	log, err := c.root.Create(logFile)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()

	cmd := c.command(context.WithoutCancel(ctx), filepath.Join(c.bin, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	c.cmd, c.ended = cmd, ended
	go func() {
		c.exit = cmd.Wait()
		close(ended)
	}()

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !c.ready() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres: %w: %s", context.Cause(ctx), c.logTail())
		case <-ended:
			c.cmd = nil
			return fmt.Errorf("postgres: %w: %s", exitError(c.exit), c.logTail())
		case <-tick.C:
		}
	}
	return nil
}

// ready reads the server's own note; its eighth line is the state.
func (c *cluster) ready() bool {
	text, err := c.root.ReadFile(dataDir + "/postmaster.pid")
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) >= 8 && strings.TrimSpace(lines[7]) == "ready"
}

// stop ends the server without a checkpoint, for its data goes too.
func (c *cluster) stop() error {
	var errs []error
	if c.cmd != nil {
		errs = append(errs, c.stopServer())
	}
	if c.root != nil {
		errs = append(errs, c.root.Close())
	}
	if c.watchdog != nil {
		errs = append(errs, os.RemoveAll(c.dir))
		errs = append(errs, c.watchdog.dismiss())
	}
	return errors.Join(errs...)
}

func (c *cluster) stopServer() error {
	select {
	case <-c.ended:
		return fmt.Errorf("the server ended by itself: %w: %s", exitError(c.exit), c.logTail())
	default:
	}
	// Errors of signals mean that the server has ended in between.
	_ = c.cmd.Process.Signal(immediateShutdown)
	select {
	case <-c.ended:
		return nil
	case <-time.After(stopTimeout):
	}
	_ = c.cmd.Process.Kill()
	<-c.ended
	return fmt.Errorf("the server did not stop within %v and was killed", stopTimeout)
}

func (c *cluster) logTail() string {
	text, err := c.root.ReadFile(logFile)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text))
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}
