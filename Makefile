# Tutti: what people type. `make help` lists it.
# Both `make run` and `make test` do all their own set-up on a bare Debian 12.
BUILD  ?= build
CC     ?= gcc
JOBS   ?= $(shell nproc)

.DEFAULT_GOAL := help
.PHONY: help setup testsetup web build test run check bench soak fuzz fmt clean asan

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install what building needs and is missing (Debian packages)
	@tests/setup.sh

testsetup:
	@tests/setup.sh test

web: setup ## build the pages (only when their sources changed)
	@runtime/web/build.sh

build: setup web ## build build/tutti
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_C_COMPILER=$(CC) -DTUTTI_TESTS=OFF >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)

asan: testsetup web ## the same with ASan and UBSan, in build-asan/
	@mkdir -p build-asan
	@cmake -S . -B build-asan -G Ninja -DTUTTI_SANITIZE=ON >/dev/null
	@cmake --build build-asan -j $(JOBS)

run: build ## build everything and start the demo plant with Tutti over it
	@BUILD=$(BUILD) examples/press-line/run.sh

test: testsetup build asan ## all tests, with sanitizers where C runs
	@tests/run.sh

check: testsetup build ## house rules: layers, banned calls, formatting, headers alone, clang warnings
	@BUILD=$(BUILD) tests/suites/check.sh
	@cmake -S . -B build-clang -G Ninja -DCMAKE_C_COMPILER=clang >/dev/null
	@cmake --build build-clang -j $(JOBS)

bench: testsetup build ## speed against hand-written C, cJSON, Node.js, SQLite rows, Mosquitto, as ratios in one run
	@command -v node >/dev/null && BUILD=$(BUILD) tests/bench/run.sh

soak: testsetup build ## SWAPS (10000) hot swaps of a server under load, twice: nothing lost, memory flat; up to an hour
	@BUILD=$(BUILD) SWAPS=$${SWAPS:-10000} node tests/bench/swaps.mjs

fuzz: testsetup build asan ## libFuzzer on every parser, FUZZ_SECONDS (30) each; random programs on every engine
	@cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DTUTTI_FUZZ=ON >/dev/null
	@cmake --build build-fuzz -j $(JOBS)
	@for target in build-fuzz/fuzz/fuzz_*; do \
	    name=$${target##*/fuzz_}; echo "fuzz: $$name"; mkdir -p build-fuzz/corpus/$$name; \
	    $$target -max_total_time=$${FUZZ_SECONDS:-30} -print_final_stats=0 -verbosity=0 \
	        build-fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; \
	done; echo "fuzz: nothing found"
	@PROGRAMS=$${FUZZ_PROGRAMS:-100} tests/suites/engines.sh

fmt: ## format the C sources in place
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove what was built
	@rm -rf build build-asan build-clang build-fuzz
