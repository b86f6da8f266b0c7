# Two commands are all the set-up there is: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test check format lint types accept bench bench-detect bench-nights mutate kills features verapdf fuzz lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.venv/installed: pyproject.toml requirements.lock $(wildcard pipeline/scanning/*)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "auditbook needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-test: .venv/installed requirements-test.lock
	$(PIP) --require-hashes --requirement requirements-test.lock
	@touch $@

install: .venv/installed-test  ## .venv with everything; the command is .venv/bin/auditbook

demo: .venv/installed  ## load the sample month, detect, and write a report to open
	$(BIN)/auditbook run sample_data --config sample_data/auditbook.toml --store store --out out

test: .venv/installed-test  ## every test that this machine can run; a skip says why (ARGS="-k word" picks some)
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

accept: .venv/installed-test  ## write the goldens again that are made from the product: docs/commands.md, docs/tables.md, the README's outputs
	AUDITBOOK_ACCEPT=1 $(BIN)/python -m pytest -q tests/test_docs.py -k 'reference or documented or readme_shows'
	AUDITBOOK_ACCEPT=1 $(BIN)/python -m pytest -q tests/test_detection_doc.py

features: .venv/installed-test  ## what the products promise their users, and is not shown by a test yet
	@$(BIN)/python -m tests.features

bench: .venv/installed-test  ## speed and memory as ratios, written to docs/benchmarks.md (BENCH_LINES=n)
	$(BIN)/python -m bench

kills: .venv/installed-test  ## a run killed at random moments, and readers during many runs (KILLS=n, RUNS=n)
	KILLS=$(or $(KILLS),200) RUNS=$(or $(RUNS),100) $(BIN)/python -m pytest -q tests/test_kills.py

bench-nights: .venv/installed-test  ## how fast the rules are, upon a small and a large store, written to docs/detection.md (BENCH_EVENTS=n)
	$(BIN)/python -m bench.nights

mutate: .venv/installed-test  ## change each comparison and number of each rule: a case must notice (MUTATE="rule rule", or a folder)
	$(BIN)/python -m bench.mutating

bench-detect: .venv/installed-test  ## what the rules find of what a simulation plants, written to docs/detection.md (BENCH_SMALL=1)
	$(BIN)/python -m bench.detecting

fuzz: .venv/installed-test  ## the judge of lines against another, with what a fuzzer finds (FUZZ_SECONDS=n)
	$(BIN)/pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python -m tests.fuzz.judge .fuzz/judge -max_total_time=$(or $(FUZZ_SECONDS),300) -max_len=4096

.verapdf/ready: tests/verapdf.xml
	mvn -q -B -f tests/verapdf.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.verapdf
	@touch $@

verapdf: .verapdf/ready  ## the validator of PDF/A and PDF/UA, which the tests use where it is (Java and Maven)

check: lint types test  ## formatting, lint, types and tests: what CI runs

lint: .venv/installed-test  ## ruff: formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed-test  ## mypy, strict
	$(BIN)/mypy

format: .venv/installed-test  ## put the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## the exact dependencies again, with their hashes, after pyproject.toml changed (needs uv)
	for name in requirements requirements-test; do \
		{ echo "# What \`make\` installs, exactly: made by \`make lock\`, checked by pip with --require-hashes."; \
		printf 'hatchling\neditables\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-annotate --no-emit-index-url $$(case $$name in (*-test) echo --extra test;; esac) pyproject.toml -; } > $$name.new; \
		mv $$name.new $$name.lock; done

clean:  ## remove what was made here: .venv, the demo's store and reports, caches
	chmod -R u+w store 2>/dev/null || true
	rm -rf .venv store out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz .verapdf
