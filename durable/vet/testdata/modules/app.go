package app

import (
	"example.com/app/limits"
	"example.com/cache"
	"github.com/duroxide/duroxide-go/durable"
)

func flow(ctx *durable.Context, in string) string {
	if cache.Hits > limits.Max { // want `reads the package variable limits.Max`
		limits.Raise() // want `calls limits.Raise, which writes the package variable Max`
	}
	_ = cache.Age() // want `calls cache.Age, which calls time.Since`
	cache.Mode = 1  // want `writes the package variable cache.Mode`
	return cache.Get(in)
}
