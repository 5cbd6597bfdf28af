package main

import "slices"

// Modules outside this repository that several rows name.
const (
	pgx    = "github.com/jackc/pgx/v5"
	pq     = "github.com/lib/pq"
	cmp    = "github.com/google/go-cmp"
	goleak = "go.uber.org/goleak"
	rapid  = "pgregory.net/rapid"
	tools  = "golang.org/x/tools"
	otel   = "go.opentelemetry.io/otel"
)

// row says what one module may use. Siblings are named by their folder. Modules
// that a row allows only in tests may also be used by packages made for tests:
// those whose name ends in "test".
type row struct {
	siblings     []string
	testSiblings []string
	external     []string
	testExternal []string
	anything     bool // any sibling and any other module
	stdOnly      bool // links the standard library only, tests included
}

// table holds the modules there are and those that are planned.
var table = map[string]row{
	"core":       {stdOnly: true},
	"validation": {siblings: []string{"core"}, external: []string{cmp, rapid}, testExternal: []string{goleak}},
	"migrations": {external: []string{pgx}, testExternal: []string{cmp, goleak}},
	"notifier":   {external: []string{pgx, pq}, testExternal: []string{cmp, goleak, rapid}},
	"pgprovider": {
		siblings:     []string{"core", "migrations", "notifier"},
		testSiblings: []string{"validation"},
		external:     []string{pgx},
		testExternal: []string{cmp, goleak, rapid, pq},
	},
	"pgprovider/entra": {
		siblings: []string{"pgprovider"},
		external: []string{pgx, "github.com/Azure/azure-sdk-for-go/sdk/azidentity"},
	},
	"durable": {siblings: []string{"core"}, testExternal: []string{cmp, goleak, rapid}},
	"durable/vet/golangci": {
		siblings: []string{"durable/vet"},
		external: []string{tools, "github.com/golangci/plugin-module-register"},
	},
	"durable/vet": {external: []string{tools}},
	"sqliteprovider": {
		siblings:     []string{"core"},
		testSiblings: []string{"validation"},
		external:     []string{"modernc.org/sqlite"},
		testExternal: []string{cmp, goleak, rapid},
	},
	"otelmetrics": {
		siblings:     []string{"core", "durable"},
		testSiblings: []string{"validation"},
		external:     []string{otel, otel + "/metric", otel + "/trace"},
		testExternal: []string{cmp, goleak, otel + "/sdk/metric"},
	},
	"pgtest": {
		external:     []string{"github.com/fergusstrange/embedded-postgres", pgx},
		testExternal: []string{cmp, goleak},
	},
	"tools/modgraph": {stdOnly: true},
	"tools/migdiff": {
		siblings:     []string{"migrations", "pgtest"},
		external:     []string{pgx, "github.com/rogpeppe/go-internal"},
		testExternal: []string{cmp, goleak},
	},
	"stress":       {anything: true},
	"cmd/duroxide": {anything: true},
	"examples":     {anything: true},
	"e2e":          {anything: true},
}

// brings lists what a module outside this repository requires in turn, as far
// as our go.mod files mention it.
var brings = map[string][]string{
	pgx: {
		"github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile", "github.com/jackc/puddle/v2",
		"golang.org/x/sync", "golang.org/x/text",
	},
	"modernc.org/sqlite": {
		"github.com/dustin/go-humanize", "github.com/google/uuid", "github.com/mattn/go-isatty", "github.com/ncruces/go-strftime",
		"github.com/remyoudompheng/bigfft", "golang.org/x/sys", "modernc.org/libc", "modernc.org/mathutil", "modernc.org/memory",
	},
	tools: {"golang.org/x/mod", "golang.org/x/sync"},
	"github.com/fergusstrange/embedded-postgres": {pq, "github.com/xi2/xz"},
	otel: {"github.com/cespare/xxhash/v2", "github.com/go-logr/logr", "github.com/go-logr/stdr", "go.opentelemetry.io/auto/sdk"},
	otel + "/sdk/metric": {
		otel + "/log", otel + "/sdk", "github.com/google/uuid", "golang.org/x/sys",
	},
}

func (r row) allSiblings() []string { return slices.Concat(r.siblings, r.testSiblings) }
func (r row) allExternal() []string { return slices.Concat(r.external, r.testExternal) }
