# "make help" lists the targets; CONTRIBUTING.md says more.
TESTFLAGS ?= -race -shuffle=on -timeout 20m
BENCHFLAGS ?= -benchmem
export TESTFLAGS

# Runs a command with DATABASE_URL set to a server that is there for its time.
with_postgres := go run ./pgtest

# How long the soak lasts; with "make test" it is one.
MINUTES ?= 10

.PHONY: help test rust standalone lint fix demo bench soak

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

test: ## test every module, with one server for all
	SOAK_MINUTES=1 DUROXIDE_GOLDEN_STRICT=1 $(with_postgres) -- go test $(TESTFLAGS) work

rust: ## test together with the Rust runtime (needs cargo), as is done weekly
	cd e2e/rust && cargo fmt --check && cargo build --locked
	$(with_postgres) -- go test $(TESTFLAGS) -tags rust -count=1 -timeout 30m -run Rust -v ./e2e

standalone: ## check every module outside the workspace, as importers see it
	$(with_postgres) -- scripts/standalone.sh all check

lint: ## check the module graph, migrations, the format, go vet, golangci-lint
	scripts/lint.sh

fix: ## let golangci-lint repair what it can
	scripts/lint.sh --fix

demo: ## show a workflow that survives a crash
	go run ./cmd/duroxide demo

bench: ## run the benchmarks, on a server that flushes to disk
	$(with_postgres) -durable -- go test -run '^$$' -bench . $(BENCHFLAGS) work

soak: ## everything at once on one database, for MINUTES=10; prints a report
	SOAK_MINUTES=$(MINUTES) $(with_postgres) -- go test $(TESTFLAGS) -count=1 -v -timeout 0 -run '^TestSoak$$' ./e2e
