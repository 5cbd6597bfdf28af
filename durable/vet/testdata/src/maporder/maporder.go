package maporder

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/duroxide/duroxide-go/durable"
)

const ship = durable.Activity[string, string]("ship")

func calls(ctx *durable.Context, parcels map[string]int) error {
	for city := range parcels {
		if _, err := ship.Call(ctx, city); err != nil { // want `orchestration code calls ship.Call in the order of a map: it differs on replay; go through the keys with slices.Sorted\(maps.Keys\(m\)\)`
			return err
		}
		ctx.SetStatus(city) // only the first call is reported
	}
	for city := range maps.Keys(parcels) {
		ctx.SetStatus(city) // want `calls ctx.SetStatus in the order of a map`
	}
	for city := range parcels {
		send(ctx, city) // want `calls send in the order of a map`
	}
	local := func(city string) { ctx.SetStatus(city) }
	for city := range parcels {
		local(city) // want `calls local in the order of a map`
	}
	for range parcels {
		for city := range parcels {
			ctx.SetStatus(city) // want `calls ctx.SetStatus in the order of a map`
		}
	}
	return nil
}

func send(ctx *durable.Context, city string) {}

func fills(ctx *durable.Context, parcels map[string]int) (string, error) {
	var futures []string
	line := ""
	for city := range parcels {
		futures = append(futures, city) // want `fills futures in the order of a map`
		line += city                    // want `fills line in the order of a map`
	}
	cities := slices.Collect(maps.Keys(parcels)) // want `fills cities in the order of a map`
	return line + futures[0], use(cities)
}

func use([]string) error { return nil }

type byName []string

func (b byName) Len() int           { return len(b) }
func (b byName) Less(i, j int) bool { return b[i] < b[j] }
func (b byName) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

func quiet(ctx *durable.Context, parcels map[string]int) error {
	var keys, others, third []string
	sum, most := 0, 0
	inverse := map[int]string{}
	byLetter := map[string][]string{}
	for city, n := range parcels {
		keys = append(keys, city)
		others = append(others, city)
		third = append(third, city)
		sum += n
		most = max(most, n)
		inverse[n] = city
		byLetter[city[:1]] = append(byLetter[city[:1]], city)
		var local []string
		local = append(local, city)
		if strings.HasPrefix(local[0], ctx.InstanceID()) { // only looks
			return nil
		}
	}
	slices.Sort(keys)
	sort.Sort(sort.Reverse(byName(others)))
	sortNames(third)
	for _, city := range slices.Concat(keys, others, third) {
		if _, err := ship.Call(ctx, city); err != nil {
			return err
		}
	}
	for _, city := range slices.Sorted(maps.Keys(parcels)) {
		ctx.SetStatus(city)
	}
	collected := slices.Collect(maps.Keys(parcels))
	slices.Sort(collected)
	return nil
}

func sortNames(names []string) {}

// Ordinary code may go through maps as it likes.
func ordinary(parcels map[string]int) (keys []string) {
	for city := range parcels {
		keys = append(keys, city)
	}
	return keys
}
