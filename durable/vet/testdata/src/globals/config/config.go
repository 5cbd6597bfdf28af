// Package config is set up by another one.
package config

var (
	Limit   = 10
	Retries = 3
)

func SetLimit(n int) { Limit = n }
