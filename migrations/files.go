package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// SharedVersion is the last version of the lineage that is shared with the
// other members of the family.
const SharedVersion = 11

//go:embed *.sql
var embedded embed.FS

// FS returns the migration files, NNNN_name.sql, in one flat directory.
func FS() fs.FS {
	return embedded
}

// File is one migration.
type File struct {
	// Version is the number that the name begins with.
	Version int
	// Name is the file's whole name, and the name in the ledger.
	Name string
}

func (f File) String() string {
	return fmt.Sprintf("%d (%s)", f.Version, f.Name)
}

// Files returns all migrations of this program in the order of application.
func Files() []File {
	files, err := listFiles(embedded)
	if err != nil {
		// The files are compiled in, and a test lists them.
		panic("migrations: " + err.Error())
	}
	return files
}

// listFiles returns the migrations in fsys. Directory order is version order,
// because versions have a fixed number of digits.
func listFiles(fsys fs.FS) ([]File, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(names))
	for _, name := range names {
		digits, _, ok := strings.Cut(name, "_")
		version, err := strconv.Atoi(digits)
		if !ok || err != nil || len(digits) != 4 || version < 1 {
			return nil, fmt.Errorf("file %s is not named NNNN_name.sql", name)
		}
		if n := len(files); n > 0 && files[n-1].Version == version {
			return nil, fmt.Errorf("files %s and %s have the same version", files[n-1].Name, name)
		}
		files = append(files, File{Version: version, Name: name})
	}
	return files, nil
}
