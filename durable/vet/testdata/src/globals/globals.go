package globals

import (
	"errors"
	"maps"

	"globals/config"

	"github.com/duroxide/duroxide-go/durable"
)

// Handles, tables and sentinel errors are package variables that never change.
var (
	charge  = durable.Activity[int, int]("charge")
	prices  = map[string]int{"mug": 12}
	errGone = errors.New("gone")
	rates   map[string]int
)

func init() { rates = maps.Clone(prices) }

type settings struct{ region string }

var (
	hits    int                // want hits:"assigned in count"
	cache   = map[string]int{} // want cache:"assigned in forget"
	names   []string           // want names:"assigned in Add"
	current = &settings{}      // want current:"assigned in Configure"
	unused  int                // want unused:"assigned in writes"
	first   string             // want first:"assigned in writes"
)

func count() int { // want count:"writes the package variable hits"
	hits++
	return hits
}

func forget(key string) { delete(cache, key) } // want forget:"writes the package variable cache"

func Add(name string) { names = append(names, name) } // want Add:"writes the package variable names"

func Configure(region string) { current.region = region } // want Configure:"writes the package variable current"

func region() string { return current.region } // want region:`reads the package variable current \(assigned in Configure\)`

func reads(ctx *durable.Context, in string) (int, error) {
	if hits > 3 { // want `orchestration code reads the package variable hits \(assigned in count\): it may have another value on replay; pass it in the input or ask an activity`
		return hits, nil // only the first read is reported
	}
	if config.Limit > 3 { // want `reads the package variable config.Limit \(assigned in SetLimit\)`
		return 0, errGone
	}
	_ = count()           // want `calls count, which writes the package variable hits: it is done again on every replay`
	_ = region()          // want `calls region, which reads the package variable current \(assigned in Configure\): it may have`
	config.SetLimit(1)    // want `calls config.SetLimit, which writes the package variable Limit`
	return cache[in], nil // want `reads the package variable cache`
}

func writes(ctx *durable.Context, in string) {
	hits++                     // want `orchestration code writes the package variable hits: it is done again on every replay and lost with the process; keep it in a local variable or with durable.KVSet`
	unused = 1                 // want `writes the package variable unused`
	cache[in] += 2             // want `writes the package variable cache`
	(*current).region = in     // want `writes the package variable current`
	config.Retries = 2         // want `writes the package variable config.Retries`
	delete(cache, in)          // want `writes the package variable cache`
	for _, first = range in2 { // want `writes the package variable first`
	}
}

var in2 = []string{"a"}

func quiet(ctx *durable.Context, in string) (int, error) {
	hits := 1 // shadows
	hits++
	s := settings{}
	s.region = in
	if prices[in]+rates[in] == 0 {
		return hits, errGone
	}
	return charge.Call(ctx, len(in2))
}
