// Package migrationstest gives a test a PostgreSQL schema of its own.
//
//	func TestOrders(t *testing.T) {
//		t.Parallel()
//		db := migrationstest.New(t)
//		provider := open(t, db.URL, db.Schema)
//		...
//	}
//
// [Schemas] lends schemas to the many cases of one test.
//
// The server is the one that DATABASE_URL names. Without it the test fails; it
// is never skipped.
package migrationstest
