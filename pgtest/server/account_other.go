//go:build !unix

package server

import (
	"errors"
	"os"
	"syscall"
)

var immediateShutdown = os.Kill

type account struct{ other bool }

func serverAccount() (account, error) {
	return account{}, errors.New("starting a server needs a Unix-like system; set DATABASE_URL")
}

func (account) sysProcAttr() *syscall.SysProcAttr { return nil }

func (account) tempDir() string { return os.TempDir() }

func (account) writeFile(*os.Root, string, string) error { return errors.ErrUnsupported }

func (account) reaches(string) bool { return true }
