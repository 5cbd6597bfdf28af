package migrations

import (
	"fmt"
	"strings"
)

const (
	// sharedLedger records the applied migrations of the shared lineage. The
	// first of them makes it.
	sharedLedger = "_duroxide_migrations"
	// ownLedger records those of the own lineage: a Rust client refuses
	// versions that it does not know in the shared ledger.
	ownLedger = "_duroxide_go_migrations"
)

// ownLedgerSQL makes the own ledger, in the transaction that applies its first
// migration. Programs of older releases read it, so that columns may be added
// but never changed.
const ownLedgerSQL = `CREATE TABLE IF NOT EXISTS ` + ownLedger + ` (
    version    bigint PRIMARY KEY,
    name       text NOT NULL,
    min_client bigint NOT NULL,  -- the last version that a program must have to use the schema
    checksum   text NOT NULL,    -- SHA-256 of the file
    bodies     jsonb NOT NULL,   -- SHA-256 of the shared functions that it replaced, by name
    applied_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
)`

// recordSQL adds a migration to its ledger.
func recordSQL(m *migration) string {
	if m.Shared() {
		return fmt.Sprintf(`INSERT INTO %s (version, name) VALUES (%d, %s)`, sharedLedger, m.Version, literal(m.Name))
	}
	var bodies []string
	for _, name := range sortedKeys(m.bodies) {
		bodies = append(bodies, fmt.Sprintf(`%q: %q`, name, m.bodies[name]))
	}
	return fmt.Sprintf("INSERT INTO %s (version, name, min_client, checksum, bodies)\nVALUES (%d, %s, %d, %s, %s)",
		ownLedger, m.Version, literal(m.Name), m.minClient, literal(m.checksum), literal("{"+strings.Join(bodies, ", ")+"}"))
}

// literal quotes a string constant.
func literal(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
