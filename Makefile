# The README's two commands, `make ask` and `make test`, do all the set-up: a virtual environment with pinned packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PROMPT

.PHONY: setup ask serve test check acceptance crashes fuzz bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; say which: make PYTHON=python3.12"; exit 2; }
	@echo "Setting up $(VENV) from constraints.txt: one to three minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@echo "  torch …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	@echo "  everything else …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Options of `lab ask` go into ARGS: make ask PROMPT="…" ARGS="--json"
ask: $(READY)
	@$(BIN)/lab ask $(ARGS) -- "$$PROMPT"

serve: $(READY)
	@$(BIN)/lab serve $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --quiet tests/test_layers.py

# Three at a time, each file by one of them: most tests wait for processes, and models compute in one thread.
test: check
	$(BIN)/pytest --numprocesses 3 --dist loadfile --benchmark-disable --cov --cov-report=term -m "not gpu" $(ARGS)

# The same files against our server and against the reference (`langgraph dev`), each started in turn.
REFERENCE := .venv-reference
acceptance: $(READY) $(REFERENCE)/.ready
	$(BIN)/pytest --numprocesses 2 --dist loadfile tests/acceptance/protocol $(ARGS)
	LAB_REFERENCE=$(CURDIR)/$(REFERENCE)/bin/langgraph \
	  $(BIN)/pytest --numprocesses 2 --dist loadfile tests/acceptance/protocol $(ARGS)

$(REFERENCE)/.ready: tests/acceptance/protocol/reference.txt
	@echo "Setting up the reference server in $(REFERENCE), once."
	@$(PYTHON) -m venv $(REFERENCE)
	@$(REFERENCE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# A hundred runs through each way to die, figures printed.
crashes: $(READY)
	$(BIN)/python -m tests.acceptance.crashes.campaign --runs 100 $(ARGS)

# Requests made up from the whole of /openapi.json, so many of each operation, an hour or so: make fuzz EXAMPLES=200
EXAMPLES ?= 100
fuzz: $(READY)
	LAB_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest --timeout 0 tests/acceptance/test_schemathesis.py $(ARGS)

bench: $(READY) $(REFERENCE)/.ready
	export LAB_REFERENCE=$(CURDIR)/$(REFERENCE)/bin/langgraph; for file in tests/benchmarks/bench_*.py; do $(BIN)/python -m tests.benchmarks.$$(basename $$file .py) || exit 1; echo; done

clean:
	rm -rf $(VENV) $(REFERENCE) .coverage* .mypy_cache .pytest_cache .ruff_cache
