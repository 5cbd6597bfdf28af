// Package cli is the command line of duroxide: commands, flags, exit codes. What
// the commands do is in the modules and in package demo.
//
//	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
package cli
