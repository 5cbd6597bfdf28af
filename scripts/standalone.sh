#!/usr/bin/env bash
# Works on one module outside the workspace, the way an importer sees it.
#
#   scripts/standalone.sh MODULE check    see that it is tidy; vet, build and test it
#   scripts/standalone.sh MODULE tidy     tidy its go.mod and go.sum
#   scripts/standalone.sh MODULE go ARGS  any go command, with -modfile set
#   scripts/standalone.sh all check       every module of go.work; also with tidy or go ARGS
#
# No go.mod holds a replace directive, so siblings are replaced in a temporary
# copy of the mod file.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
prefix=github.com/duroxide/duroxide-go
module=${1:?module folder, such as core, or all}
action=${2:?check, tidy or go}
modules=$(cd "$root" && go work edit -json | sed -n 's/.*"DiskPath": "\.\/\(.*\)".*/\1/p')

if [ "$module" = all ]; then
	shift
	for m in $modules; do
		echo "== $m"
		"$0" "$m" "$@"
	done
	exit
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$root/$module"
cp go.mod "$tmp"
if [ -f go.sum ]; then cp go.sum "$tmp"; else : > "$tmp/go.sum"; fi
for m in $modules; do
	[ "$m" = "$module" ] || go mod edit -replace="$prefix/$m=$root/$m" "$tmp/go.mod"
done
export GOWORK=off GOFLAGS="${GOFLAGS:-} -modfile=$tmp/go.mod"

case $action in
check)
	go mod tidy -diff || { echo "$module is not tidy: run scripts/standalone.sh $module tidy" >&2; exit 1; }
	if [ -z "$(go list ./...)" ]; then exit; fi # nothing written yet
	go vet ./...
	go build -o /dev/null ./... # thrown away: a lone command would land in its folder
	go test ${TESTFLAGS:--race -shuffle=on} ./...
	;;
tidy)
	go mod tidy
	for m in $modules; do
		go mod edit -dropreplace="$prefix/$m" "$tmp/go.mod"
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
