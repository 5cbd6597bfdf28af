// Package export writes histories of a live system to files, and has a program
// replay them. What it does is in the help text of duroxide export.
package export
