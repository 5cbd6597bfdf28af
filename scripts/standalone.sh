#!/usr/bin/env bash
# Works on one module outside the workspace, the way an importer sees it.
#
#   scripts/standalone.sh MODULE check    vet, build and test it
#   scripts/standalone.sh MODULE tidy     tidy its go.mod and go.sum
#   scripts/standalone.sh MODULE go ARGS  any go command, with -modfile set
#
# No go.mod holds a replace directive, so siblings are replaced in a temporary
# copy of the mod file.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
prefix=github.com/duroxide/duroxide-go
module=${1:?module folder, such as core}
action=${2:?check, tidy or go}
dir=$root/$module
siblings=$(sed -n 's/^\t\.\///p' "$root/go.work")

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp "$dir/go.mod" "$tmp/go.mod"
if [ -f "$dir/go.sum" ]; then cp "$dir/go.sum" "$tmp/go.sum"; else : > "$tmp/go.sum"; fi
for s in $siblings; do
	[ "$s" = "$module" ] || go mod edit -replace="$prefix/$s=$root/$s" "$tmp/go.mod"
done

cd "$dir"
export GOWORK=off GOFLAGS="${GOFLAGS:-} -modfile=$tmp/go.mod"
case $action in
check)
	go vet ./...
	go build ./...
	go test -race -shuffle=on ./...
	;;
tidy)
	go mod tidy
	for s in $siblings; do
		go mod edit -dropreplace="$prefix/$s" "$tmp/go.mod"
	done
	cp "$tmp/go.mod" go.mod
	if [ -s "$tmp/go.sum" ]; then cp "$tmp/go.sum" go.sum; else rm -f go.sum; fi
	;;
go)
	shift 2
	go "$@"
	;;
*)
	echo "unknown action $action: check, tidy or go" >&2
	exit 2
	;;
esac
