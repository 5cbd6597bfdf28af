// Package migrations holds the PostgreSQL schema of duroxide as numbered SQL
// files and brings a database schema up to them.
//
//	result, err := migrations.RunURL(ctx, os.Getenv("DATABASE_URL"), &migrations.Options{
//		Schema: "orders",
//	})
//	if err != nil {
//		return err
//	}
//	fmt.Println("at version", result.Version)
//
// A program that must not change the database checks it instead:
//
//	_, err := migrations.RunPool(ctx, pool, &migrations.Options{Policy: migrations.Verify})
//	if errors.Is(err, migrations.ErrBehind) {
//		// ask the operator to migrate
//	}
//
// # Versions
//
// Files up to [SharedVersion] are the lineage that all members of the family
// share. The table _duroxide_migrations in the schema records which of them
// were applied, under the same names and serialised by the same advisory lock
// that the Rust provider duroxide-pg-opt uses, so that either side can continue
// what the other began. Files from 0101 are this module's own improvements, which
// leave everything there that the others use; the table _duroxide_go_migrations
// records them, because a Rust client refuses versions that it does not know.
// [ApplyShared] stops before them.
//
// Each file is applied in a transaction together with its record: a version is
// there with all its objects or not at all. A file marked "transaction: none"
// builds indexes without locking out writers; its statements run one by one, and
// a run that was interrupted begins it again.
//
// A run refuses a schema that it does not understand before it changes
// anything: versions that this program does not have, versions missing in the
// middle, records of another lineage, and tables that do not fit the records.
// The errors are sentinels such as [ErrUnknownVersion], and each says what to
// do. A [PartialError] tells what a migration that failed has left.
//
// # Deploys
//
// A migration can admit programs that do not have it: its marker min_client
// names the last migration that a program must have. So one process of a new
// release migrates while those of the release before go on, and what they cannot
// bear comes a release later. A member of the family may put its own body of a
// function back that this module improved; every run looks, and reports it in
// [Result].
//
// An operator who migrates by hand reads the [Plan] of a run and the [Status] of
// a schema, and can [Print] the run as a script for psql.
//
// The lock belongs to a database session. Behind a pooler that changes sessions
// between transactions, use [Verify], and migrate over a direct connection.
//
// # The files themselves
//
// [FS] gives the files to other tools. They hold plain SQL with unqualified
// names: run them in order with search_path set to the schema, then pg_temp,
// those marked "transaction: none" outside a transaction.
package migrations
