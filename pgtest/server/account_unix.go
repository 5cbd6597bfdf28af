//go:build unix

package server

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// immediateShutdown makes the server end at once, without a checkpoint.
const immediateShutdown = syscall.SIGQUIT

// account is who runs the server.
type account struct {
	other    bool // not who runs this process
	uid, gid uint32
}

// serverAccount is the account of this process or, for root, an unprivileged
// one, because PostgreSQL refuses to run as root.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"nobody", "daemon"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{other: true, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no user nobody or daemon to run it as")
}

func (a account) sysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// tempDir is where the account can make temporary files and remove them.
func (a account) tempDir() string {
	if dir := os.TempDir(); a.reaches(dir) && a.writes(dir) {
		return dir
	}
	return "/tmp"
}

// writeFile writes a file that only the account can read.
func (a account) writeFile(root *os.Root, name, text string) error {
	if err := root.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	if !a.other {
		return nil
	}
	return root.Lchown(name, int(a.uid), int(a.gid))
}

// reaches tells whether the account may enter dir and all parents of it that
// exist. Our own account may, or gets an error that says so.
func (a account) reaches(dir string) bool {
	if !a.other {
		return true
	}
	for {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// writes tells whether the account may make and remove files in dir.
func (a account) writes(dir string) bool {
	info, err := os.Stat(dir)
	return !a.other || err == nil && info.Mode()&0o002 != 0
}
