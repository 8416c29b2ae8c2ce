# taskfs. `make demo` and `make test` set up what is missing by themselves; both work as root in a bare Debian and as
# a user with sudo. Everything made here lands below build/ and in cargo's target folder.

.PHONY: help build demo test soak bench setup guests fmt lint clean
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
# Where rustup puts cargo, for shells that do not have it on their path yet, and before a distribution's older one.
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo

# The V8 engine's prebuilt archive, for machines that cannot download it. Only the Node worker links it.
V8_ARCHIVE_DIR ?= ../shared/v8
V8_ARCHIVE := $(abspath $(firstword $(wildcard $(V8_ARCHIVE_DIR)/*.a.gz)))
ifneq ($(V8_ARCHIVE),)
export RUSTY_V8_ARCHIVE ?= $(V8_ARCHIVE)
endif

# One profile for the binary, its tests, the demo and the benchmarks: wasmtime, most of the work, is compiled once, and
# what is tested (time limits included) is what people run. `cargo test` alone remains the quick way with debug checks.
PROFILE ?= release
TASKFS_BIN := $(CARGO_TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/taskfs
export TASKFS_BIN
export TASKFS_GUESTS := $(CURDIR)/build/guests
GUESTS = $(MAKE) -s --no-print-directory -C examples/guests BUILD=$(CURDIR)/build
SKIPPED := $(CURDIR)/build/skipped.txt

SCRIPTS = .ci/run $(addprefix runtime-node/worker/,build test libclang workspace) $(wildcard mount-scripts/*.sh examples/*.sh setup/*) \
	$(addprefix tests/qemu/,init run-script hostsh unix-relay) tests/soak/run $(wildcard tests/soak/parts/*) \
	$(addprefix fuzz/,run miri sanitize planted threads/run)

help:
	@echo 'make demo    set up, build, and watch tasks run through nothing but cat and echo'
	@echo 'make test    set up, build, run every test, and say what this machine could not run'
	@echo 'make soak    an hour of mixed load, hundreds of kills, and whatever else takes long (SOAK_MINUTES=60, SOAK=PARTS)'
	@echo 'make bench   the figures of docs/performance.md'
	@echo 'make build   the taskfs binary ($(TASKFS_BIN)), and the workers for Node programs beside it'
	@echo 'make setup   install what is missing; guests: compile the example programs'
	@echo 'make fmt, make lint, make clean'

setup:
	@setup/setup all

build: workers npm
	$(CARGO) build --profile $(PROFILE) -p fs-server

# The executables that Node programs run in, one an engine, beside taskfs. V8 is linked from a prebuilt archive: the one of
# RUSTY_V8_ARCHIVE, or what cargo downloads; QuickJS is built from source. Where an engine cannot be had, taskfs is complete
# without it. One after the other: they share all that has nothing to do with the engine.
NODE_ENGINES ?= v8 quickjs
NODE_WORKERS = $(NODE_ENGINES:%=$(dir $(TASKFS_BIN))taskfs-node-%)
.PHONY: workers $(NODE_WORKERS)
workers: $(NODE_WORKERS)
$(lastword $(NODE_WORKERS)): | $(filter-out $(lastword $(NODE_WORKERS)),$(NODE_WORKERS))
$(NODE_WORKERS):
	@CARGO='$(CARGO)' runtime-node/worker/build $(@F:taskfs-node-%=%) $@ || \
	echo '$(@F) was not built: the server will not offer that engine for Node programs' >&2

# npm for Node programs, as setup brought it from the registry: taskfs shows what lies beside it.
NPM := build/npm-cli/node_modules/npm
.PHONY: npm
npm:
	@to='$(dir $(TASKFS_BIN))npm'; mkdir -p "$$to"; if [ ! -d $(NPM) ]; then \
	echo 'there is no npm (make setup brings it): Node programs will have none' >&2; rmdir "$$to" 2>/dev/null || true; \
	elif ! cmp -s $(NPM)/package.json "$$to/package.json"; then rm -rf "$$to"; cp -R $(NPM) "$$to"; fi

guests: setup
	@$(GUESTS)

demo:
	@setup/setup demo
	@$(MAKE) --no-print-directory build
	@$(GUESTS) c
	@examples/demo.sh

# Test harnesses and binaries are built in one go: built apart, cargo would resolve other features for them and
# compile the large dependencies twice.
test: setup guests workers npm
	@cp build/not-set-up.txt $(SKIPPED)
	$(CARGO) build --profile $(PROFILE) --workspace --bins --tests
	@status=0; \
	TASKFS_SKIPPED=$(SKIPPED) $(CARGO) test --profile $(PROFILE) --workspace --no-fail-fast || status=$$?; \
	CARGO='$(CARGO)' TASKFS_SKIPPED=$(SKIPPED) runtime-node/worker/test $(NODE_WORKERS) || status=$$?; \
	CARGO='$(CARGO)' fuzz/threads/run || status=$$?; \
	if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS) || status=$$?; fi; \
	if [ -s $(SKIPPED) ]; then echo 'Not run on this machine:'; sort -u $(SKIPPED) | sed 's/^/  /'; \
	else echo 'Everything ran.'; fi; \
	exit $$status

# What takes longer than a test may. Each file of tests/soak/parts is a part; SOAK names those to run, by default all.
SOAK_MINUTES ?= 60
SOAK ?=
soak: setup guests
	@cp build/not-set-up.txt $(SKIPPED)
	$(CARGO) build --profile $(PROFILE) --workspace --bins --tests
	@status=0; \
	TASKFS_SKIPPED=$(SKIPPED) SOAK_MINUTES=$(SOAK_MINUTES) CARGO=$(CARGO) PROFILE=$(PROFILE) tests/soak/run $(SOAK) || status=$$?; \
	if [ -s $(SKIPPED) ]; then echo 'Not run on this machine:'; sort -u $(SKIPPED) | sed 's/^/  /'; fi; \
	exit $$status

bench: setup guests
	$(CARGO) run --release -p bench

fmt:
	$(CARGO) fmt --all

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	shellcheck $(SCRIPTS)

clean:
	rm -rf build
	$(CARGO) clean
