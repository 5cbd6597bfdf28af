// Package cache belongs to another module than what uses it.
package cache

import "time"

var Hits, Mode int

var entries = map[string]string{}

// Get remembers what it was asked, as many libraries do.
func Get(key string) string {
	Hits++
	entries[key] = key
	return entries[key]
}

func Age() time.Duration { return time.Since(time.Time{}) }
