# SPDX-License-Identifier: MIT
#
# A thin skin over Meson: each target is one command that could be typed by hand.
# What is built lies in build/; the configurations that `make check` tries lie in build-check/.

BUILD ?= build
MESON_FLAGS ?=
TRACE ?= examples/traces/redis.qtrace
PICTURE ?= $(BUILD)/$(basename $(notdir $(TRACE))).html
FUZZ_SECONDS ?= 30
DESTDIR ?=

.DEFAULT_GOAL := all

.PHONY: all
all: $(BUILD)/build.ninja	## Build the libraries and the quire program into build/
	@ninja -C $(BUILD) artefacts

$(BUILD)/build.ninja:
	@mkdir -p $(BUILD)
	@echo "meson setup $(BUILD) $(MESON_FLAGS)"
	@meson setup $(BUILD) $(MESON_FLAGS) >$(BUILD)/setup.log || { cat $(BUILD)/setup.log; exit 1; }

.PHONY: run
run: all	## Replay a recorded machine on both engines and draw it (TRACE=file: that one)
	$(BUILD)/quire replay --engine list --engine bitmap --html $(PICTURE) $(TRACE)
	@echo
	@echo "Next, with this very machine:"
	@echo "  sudo $(BUILD)/quire record -- COMMAND    record what COMMAND does to its pages; then"
	@echo "  $(BUILD)/quire replay machine.qtrace     play it again, with --set TUNABLE=VALUE otherwise"
	@echo "  $(BUILD)/quire stress                    put a gigabyte of its memory under stress"

.PHONY: pictures
pictures: all	## Draw the pictures of the README again
	$(BUILD)/quire replay --quiet --engine list --engine bitmap --figure map --svg docs/img/redis-map.svg $(TRACE)

.PHONY: test
test: $(BUILD)/build.ninja	## Build and run the tests in this configuration only
	meson test -C $(BUILD) --print-errorlogs

.PHONY: check
check:	## Run every gate: builds, tests, sanitizers, coverage, format, lint (QR_CHECK_FAST=1: the quick ones)
	@scripts/check

.PHONY: bench
bench:	## Measure Quire beside other allocators: a short table (BENCH="pair --order 3": that instead)
	@scripts/bench $(BUILD) $(BENCH)

.PHONY: fuzz
fuzz:	## Run each libFuzzer target for FUZZ_SECONDS=30 over its corpus
	@scripts/fuzz $(FUZZ_SECONDS)

.PHONY: sizes
sizes:	## Print code, stack and struct sizes, largest first (BASE=revision: what changed since)
	@scripts/sizes $(BASE)

.PHONY: coverage
coverage:	## Build with gcov, run the tests, write build-check/coverage.txt
	@scripts/check coverage

.PHONY: format
format:	## Rewrite the sources with clang-format
	@scripts/check-format --fix

.PHONY: tidy
tidy:	## Run clang-tidy over the sources
	@scripts/check tidy

.PHONY: install
install: all	## Install libraries, headers, program, man pages and pkg-config files (DESTDIR=)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

.PHONY: clean
clean:	## Remove everything that was built
	rm -rf $(BUILD) build-check build-fuzz build-sizes

.PHONY: help
help:	## Print this list
	@sed -n 's/^\([a-z][a-z]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | \
		while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done
