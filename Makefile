# `make demo` and `make test` need only Python >= 3.10 and make; each sets up what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test conformance mutation lint docs vendor bench clean

demo: $(VENV)/.ready
	@$(BIN)/python examples/demo.py

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n auto --dist loadscope

conformance: $(VENV)/.ready
	@PYTHONPATH=tests $(BIN)/python -m conformance

mutation: $(VENV)/.ready
	@PYTHONPATH=tests $(BIN)/python -m conformance.mutation

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready
	@$(BIN)/python docs/generate.py

vendor: $(VENV)/.ready
	@$(BIN)/python docs/vendor.py

bench: $(VENV)/.ready
	@$(BIN)/python benchmarks/overhead.py
	@$(BIN)/python benchmarks/analysis.py

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.ready: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python >= 3.10 is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
