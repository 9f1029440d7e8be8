# A newcomer needs only `make demo` and `make test`. Both do their own set-up.

# Debian's own Python, if it can make environments: it takes four fifths of the time of one that pyenv compiles, and a
# third of all work here is programs in Python that start.
PYTHON ?= $(or $(shell /usr/bin/python3 -c $(SUITABLE) 2>/dev/null),python3)
SUITABLE := 'import ensurepip, sys, venv; print(sys.executable if sys.version_info >= (3, 11) else "")'
VENV := .venv
BIN := $(VENV)/bin
NEEDED := python3-venv
MINUTES ?= 10
WORKERS ?= 3
UPGRADE ?= --upgrade

# `make test-fast` is for every save, `make test` for the end of a piece of work.
.PHONY: demo test test-fast soak bench run dist reference docs lint format lock clean
.DEFAULT_GOAL := test

demo: $(VENV)/demo-ready
	$(BIN)/python -m tests.demo

run: $(VENV)/demo-ready
	$(BIN)/python -m tests.run

# Tests wait for engines and clocks much of their time, so three run at once on two processors.
test: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# The tests that need no engine and wait for nothing, with a tenth of the examples: under a minute.
test-fast: $(VENV)/ready
	HOSTWATCH_TEST_FAST=1 $(BIN)/python -m pytest -q -m "not slow" --numprocesses 2 --dist loadfile --ignore tests/integration

# Starts and stops containers beside hostwatch, and checks each file every second.
soak: $(VENV)/ready
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

# Measures hostwatch and other programs on real engines. `make bench QUESTIONS="follow idle"` takes some questions only.
bench: $(VENV)/ready
	$(BIN)/python -m bench $(QUESTIONS)

# All packages, into dist/. `python -m release wheel` makes one kind alone.
dist: $(VENV)/ready
	$(BIN)/python -m release all

# Writes the pages of docs/reference that are made from the code. A test compares them.
reference: $(VENV)/ready
	$(BIN)/python -m manual

# The site of the documentation, into site/: open site/index.html. A broken link is an error.
docs: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins the packages anew, with hashes and without a registry's address: those that run, those of `make demo`, and all.
# `make lock UPGRADE=` keeps the versions that are pinned.
LOCK := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --universal \
	--python-version 3.11 pyproject.toml
lock: $(VENV)/ready
	$(BIN)/$(LOCK) $(UPGRADE) --group dev --output-file requirements-dev.txt
	$(BIN)/$(LOCK) --constraints requirements-dev.txt --group demo --output-file requirements-demo.txt
	$(BIN)/$(LOCK) --constraints requirements-dev.txt --output-file requirements.txt

# The environment, in two stages, as the demo needs few packages. All of them are pinned and checked by their hashes.
# uv comes first, as it needs a second for what takes pip a quarter of a minute. pip knows mirrors that uv does not.
# On Debian, `venv` is a package of its own.
$(VENV)/demo-ready: requirements-demo.txt pyproject.toml
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || (apt-get update && apt-get install -y --no-install-recommends $(NEEDED))
	$(PYTHON) -m venv --clear $(VENV)
	sed -n '/^uv==/,/[^\]$$/p' requirements-demo.txt > $(VENV)/uv.txt
	$(BIN)/pip install --quiet --require-hashes --requirement $(VENV)/uv.txt
	$(call install,--require-hashes --requirement requirements-demo.txt)
	$(call install,--no-deps --no-build-isolation --editable .)
	touch $@

$(VENV)/ready: $(VENV)/demo-ready requirements-dev.txt
	$(call install,--require-hashes --requirement requirements-dev.txt)
	touch $@

install = VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet $(1) || $(BIN)/pip install --quiet $(1)

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
