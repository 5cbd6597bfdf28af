// Package sqlfile reads the SQL of migration files without a server: enough to
// cut a file into statements and to understand those that define functions.
//
//	statements, err := sqlfile.Split(text)
//	for _, s := range statements {
//		if f, ok, err := sqlfile.ParseFunction(s); ok && err == nil {
//			fmt.Println(f.Signature())
//		}
//	}
//
// It knows quotes, dollar quotes and comments, so that a semicolon or a keyword
// inside of them means nothing. Files of the other members of the family keep
// their definitions in strings that a block executes; [Unwrap] takes them out.
package sqlfile
