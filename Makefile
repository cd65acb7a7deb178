# Two commands on a fresh machine with python3 >= 3.11: `make demo` and `make test`. Set-up happens once, in .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)

.PHONY: setup demo test test-large test-lowest check bench fuzz clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet uv
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --constraints constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -q src
	@touch $@

demo: $(READY)
	@rm -rf demo
	@$(BIN)/ursa demo --to demo

# One worker more than there are cores: a third of the time tests wait for processes that they started.
WORKERS = $$(( $$($(BIN)/python -c 'import os; print(os.cpu_count() or 1)') + 1 ))

# What is compiled is kept, whatever the environment says: else each worker rewrites all tests, and each command that
# they start compiles what of src has changed.
test: $(READY)
	@$(BIN)/python -m compileall -q src
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -q -m "not large" -n $(WORKERS) --dist worksteal

# On networks of tens of millions of weights what `test` proves on small ones.
test-large: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/pytest -q -m large -n $(WORKERS) --dist worksteal

# The lowest versions that pyproject.toml allows of what predicting and serving need: no torch, no polars.
LOWEST := .venv-lowest

$(LOWEST)/.ready: pyproject.toml $(READY)
	@test -x $(LOWEST)/bin/python || "$(UV)" venv --quiet --python $(BIN)/python $(LOWEST)
	@"$(UV)" pip install --quiet --python $(LOWEST)/bin/python --compile-bytecode --resolution lowest-direct \
		--editable '.[serve]' 'httpx>=0.28' 'hypothesis>=6.115' 'jsonschema>=4.23' 'onnx>=1.17' 'openapi-spec-validator>=0.7.2' \
		'pytest>=8.3' 'pytest-timeout>=2.3'
	@touch $@

test-lowest: $(LOWEST)/.ready
	@$(LOWEST)/bin/python -m pytest -q -p no:cacheprovider -W ignore::DeprecationWarning \
		tests/serve tests/sandbox/test_pool.py tests/core/test_bundle.py tests/test_hostile_bundles.py

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .import_linter_cache

bench: $(READY)
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# make fuzz MINUTES=60 PROCESSES=2 SEED=7 TARGET=pictures: mutants of files, bundles, tables and requests, in children.
MINUTES ?= 5

fuzz: $(READY)
	@$(BIN)/python -m fuzz --minutes $(MINUTES) $(if $(PROCESSES),--processes $(PROCESSES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(TARGET),--target $(TARGET)) $(if $(JSON),--json)

clean:
	rm -rf .venv .venv-lowest demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz
