package migrations

import (
	"fmt"
	"regexp"
	"strings"
)

// maxSchemaName leaves room for the longest notification channel,
// <schema>_worker_work, in the 63 bytes that PostgreSQL allows a channel.
const maxSchemaName = 51

var (
	schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	mixedCase  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// ValidateSchemaName tells whether name can be the name of a schema: lower-case
// letters, digits and underscores, not beginning with a digit, at most 51
// bytes, and none of the names that PostgreSQL keeps for itself. The error
// matches [ErrInvalidSchemaName].
//
// Upper case is refused because clients that do not quote the name would reach
// the schema of the folded name instead. Reserved words such as user are
// allowed: this module always quotes.
func ValidateSchemaName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidSchemaName)
	case !schemaName.MatchString(name) && mixedCase.MatchString(name):
		return fmt.Errorf("%w: %q has upper-case letters; use %q", ErrInvalidSchemaName, name, strings.ToLower(name))
	case !schemaName.MatchString(name):
		return fmt.Errorf("%w: %q must match [a-z_][a-z0-9_]*", ErrInvalidSchemaName, name)
	case len(name) > maxSchemaName:
		return fmt.Errorf("%w: %q has %d bytes; at most %d leave room for the names of the notification channels",
			ErrInvalidSchemaName, name, len(name), maxSchemaName)
	case strings.HasPrefix(name, "pg_"), name == "information_schema":
		return fmt.Errorf("%w: %q is reserved by PostgreSQL", ErrInvalidSchemaName, name)
	}
	return nil
}
