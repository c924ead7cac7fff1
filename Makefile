# Tutti: what people type. `make help` lists it.
# Both `make run` and `make test` do all their own set-up on a bare Debian 12.
BUILD  ?= build
CC     ?= gcc
JOBS   ?= $(shell nproc)
GENERATOR := $(shell command -v ninja >/dev/null && echo -G Ninja)

.DEFAULT_GOAL := help
.PHONY: help setup build test run check bench fuzz fmt clean asan

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install what is missing (Debian packages, npm packages by lock file)
	@tests/setup.sh

build: setup ## build build/tutti
	@cmake -S . -B $(BUILD) $(GENERATOR) -DCMAKE_C_COMPILER=$(CC) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD) -j $(JOBS)

asan: setup ## the same with ASan and UBSan, in build-asan/
	@mkdir -p build-asan
	@cmake -S . -B build-asan $(GENERATOR) -DTUTTI_SANITIZE=ON >/dev/null
	@cmake --build build-asan -j $(JOBS)

run: build ## build everything and start the demo plant with Tutti over it
	@BUILD=$(BUILD) examples/press-line/run.sh

test: build asan ## all tests, with sanitizers where C runs
	@tests/run.sh

check: build ## house rules: layers, banned calls, formatting, headers alone, clang warnings
	@BUILD=$(BUILD) tests/suites/check.sh
	@cmake -S . -B build-clang $(GENERATOR) -DCMAKE_C_COMPILER=clang >/dev/null
	@cmake --build build-clang -j $(JOBS)

bench: build ## speed against hand-written C, cJSON and Node.js, as ratios in one run
	@command -v node >/dev/null && BUILD=$(BUILD) tests/bench/run.sh

fuzz: setup ## run libFuzzer on every parser, FUZZ_SECONDS (30) each
	@cmake -S . -B build-fuzz $(GENERATOR) -DCMAKE_C_COMPILER=clang -DTUTTI_FUZZ=ON >/dev/null
	@cmake --build build-fuzz -j $(JOBS)
	@for target in build-fuzz/fuzz/fuzz_*; do \
	    name=$${target##*/fuzz_}; echo "fuzz: $$name"; mkdir -p build-fuzz/corpus/$$name; \
	    $$target -max_total_time=$${FUZZ_SECONDS:-30} -print_final_stats=0 -verbosity=0 \
	        build-fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; \
	done; echo "fuzz: nothing found"

fmt: ## format the C sources in place
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove what was built
	@rm -rf build build-asan build-clang build-fuzz
