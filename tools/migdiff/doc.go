// Command migdiff shows what a migration changes. A migration states functions
// in full, so that a diff of files shows a new function where one line differs;
// the companion NNNN_diff.md that this command writes shows that line.
//
//	go run ./tools/migdiff 0007            # write migrations/0007_diff.md
//	go run ./tools/migdiff --all           # write all of them, and add checksums of new files
//	go run ./tools/migdiff --check         # exit 1, with the difference, if a file is stale
//	go run ./tools/migdiff --lint          # exit 1 if a migration breaks a rule
//	go run ./tools/migdiff --offline 0007  # without a database
//	go run ./tools/migdiff --sums          # accept the files as they are now
//
// # Where the sections come from
//
// Functions are shown as the files state them, comments included, with a
// database and without: this tool reads all files up to the one in question,
// follows what they create, replace and drop, and compares each function with
// the last file before that stated it. With a database the result is not taken
// on trust. What the server has in its catalogue after each version must be
// what the files were understood to say, name by name: arguments, result,
// language, attributes, settings, and the body byte by byte. A difference is an
// error, never a diff that shows something else than what a schema gets.
//
// All other sections (tables, indexes, triggers, comments, privileges) are
// differences between two catalogues: of a temporary schema that is migrated to
// the version before, and of another one that is migrated to the version in
// question. Without a database these sections show the file's own
// statements instead, under a notice, and such a document is not up to date in
// the eyes of --check; --check --offline compares the section of the functions
// only.
//
// The same files give the same bytes, on every supported version of the server:
// objects are in the order of their names, names are as in the files without
// their schema, and whatever depends on a server, its version or a role's name
// is left out: owners and what an owner may do.
//
// # Files in other styles
//
// Our files hold plain statements. Other members of the family keep definitions
// in strings that a block hands to format or replace. Those are understood too:
// package sqlfile decodes the strings level by level instead of replacing
// doubled quotes wherever they stand, which would also change literals that are
// empty.
//
// # Rules
//
// --lint needs no database. The rules are listed by --help; allow.go holds the
// exceptions, each with its reason, and an exception that nothing needs any
// more is reported as well.
//
// # Exit codes
//
// 0 when all was done and is in order, 1 when something is stale, breaks a rule
// or failed, 2 for a wrong usage, 5 when the database cannot be reached.
package main
