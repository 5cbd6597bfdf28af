package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

const (
	// SharedVersion is the last version of the lineage that is shared with the
	// other members of the family.
	SharedVersion = 11
	// firstOwn is the first version of this module's own lineage. The numbers
	// between the two are kept free for the family.
	firstOwn = 101
)

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

// Shared tells whether the file belongs to the lineage that all members of the
// family share.
func (f File) Shared() bool {
	return f.Version <= SharedVersion
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
		version, ok := versionOf(name)
		if !ok {
			return nil, fmt.Errorf("file %s is not named NNNN_name.sql", name)
		}
		if version > SharedVersion && version < firstOwn {
			return nil, fmt.Errorf("file %s has a version between the two lineages: they are 1 to %d, and from %d",
				name, SharedVersion, firstOwn)
		}
		if n := len(files); n > 0 && files[n-1].Version == version {
			return nil, fmt.Errorf("files %s and %s have the same version", files[n-1].Name, name)
		}
		files = append(files, File{Version: version, Name: name})
	}
	return files, nil
}

func versionOf(name string) (version int, ok bool) {
	digits, _, ok := strings.Cut(name, "_")
	version, err := strconv.Atoi(digits)
	return version, ok && err == nil && len(digits) == 4 && version >= 1
}
