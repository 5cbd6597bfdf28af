// Package guide is the code of docs/guide.md: a shop that prints photo books.
package guide
