#!/usr/bin/env bash
# Checks what the compiler does not: the module graph, the migrations and their
# diffs, the format, go vet, our orchestrations, and the linters of .golangci.yml.
# With --fix, golangci-lint repairs what it can.
set -euo pipefail
cd "$(dirname "$0")/.."
golangci_lint=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

status=0
step() {
	echo "--- $*"
	"$@" || status=1
}

format() {
	local files
	files=$(gofmt -l .)
	[ -z "$files" ] || { echo "run gofmt -w on:" $files; return 1; }
}

# Our analyser over our orchestrations. durabletest and e2e have some whose
# mistakes are meant.
durablevet() {
	local dir
	dir=$(mktemp -d)
	go build -o "$dir/durablevet" ./durable/vet/cmd/durablevet &&
		go vet -vettool="$dir/durablevet" ./durable ./examples/... ./cmd/duroxide/...
	local status=$?
	rm -r "$dir"
	return $status
}

# One run over the packages of all modules: it loads what they share once.
golangci() {
	local IFS=$'\n'
	go run "$golangci_lint" run "$@" $(go list -f '{{.Dir}}' work)
}

if [ "${1:-}" = --fix ]; then
	golangci --fix
	exit
fi
step go run ./tools/modgraph
step go run ./tools/migdiff --lint --check
step format
step go vet work
step go vet -tags rust ./e2e
step durablevet
step golangci
exit $status
