package migrations

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

// For the tests, which are outside the package because migrationstest imports it.
var (
	CheckLock = checkLock
	LineOf    = lineOf
	ListFiles = listFiles
	LockKey   = lockKey
	RunFS     = runFS
)

// PlanFS is Plan of a program with other files.
func PlanFS(ctx context.Context, conn *pgx.Conn, fsys fs.FS, options *Options) (*RunPlan, error) {
	r, err := newRunner(conn, fsys, options)
	if err != nil {
		return nil, err
	}
	return r.plan(ctx)
}

// PrintFS is Print of a program with other files.
func PrintFS(fsys fs.FS, from int, options *Options) (string, error) {
	r, err := newRunner(nil, fsys, options)
	if err != nil {
		return "", err
	}
	return r.script(from), nil
}

// StatusFS is Status of a program with other files.
func StatusFS(ctx context.Context, conn *pgx.Conn, fsys fs.FS, options *Options) (*SchemaStatus, error) {
	r, err := newRunner(conn, fsys, options)
	if err != nil {
		return nil, err
	}
	return r.status(ctx)
}

// Split returns the statements of a file as line:text.
func Split(sql string) ([]string, error) {
	statements, err := splitSQL(sql)
	var texts []string
	for _, s := range statements {
		texts = append(texts, fmt.Sprintf("%d:%s", s.line, s.text))
	}
	return texts, err
}

// LockOf returns the lock of the first statement.
func LockOf(sql string) string {
	statements, err := splitSQL(sql)
	if err != nil {
		return err.Error()
	}
	l := statements[0].lock(map[string]string{"i": "t"})
	return l.mode + "|" + l.table
}

// ParseMarkers reads the head of a file.
func ParseMarkers(version int, sql string) (transactional bool, minClient int, err error) {
	m, err := parse(File{Version: version, Name: "test.sql"}, sql)
	return m.transactional, m.minClient, err
}
