# A newcomer needs only `make demo` and `make test`. Both do their own set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEEDED := python3-venv
MINUTES ?= 10

# `make test-fast` is for every save, `make test` for the end of a piece of work.
.PHONY: demo test test-fast soak bench run lint format lock clean
.DEFAULT_GOAL := test

demo: $(VENV)/ready
	$(BIN)/python -m tests.demo

run: $(VENV)/ready
	$(BIN)/python -m tests.run

test: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The tests that need no engine, with a tenth of the examples: under a minute.
test-fast: $(VENV)/ready
	HOSTWATCH_TEST_FAST=1 $(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile --ignore tests/integration

# Starts and stops containers beside hostwatch, and checks each file every second.
soak: $(VENV)/ready
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

# Measures hostwatch and other programs on real engines. `make bench QUESTIONS="follow idle"` takes some questions only.
bench: $(VENV)/ready
	$(BIN)/python -m bench $(QUESTIONS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins the development packages anew, with hashes and without a registry's address.
lock: $(VENV)/ready
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--universal --python-version 3.11 --group dev pyproject.toml --output-file requirements-dev.txt

# On Debian, `venv` is a package of its own. All Python packages are pinned and checked by their hashes.
$(VENV)/ready: requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || (apt-get update && apt-get install -y --no-install-recommends $(NEEDED))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
