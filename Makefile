# `make demo` and `make test` need only Python >= 3.10 and make; each sets up what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

WORKFLOWS = $(wildcard .github/workflows/*.yml) examples/sharded/workflow.yml
ACTION = .github/actions/npu-compat/action.yml

.PHONY: demo test browser conformance mutation lint docs package vendor bench clean

demo: $(VENV)/.ready
	@$(BIN)/python examples/demo.py

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n auto --dist loadscope

browser: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,browser]'
	$(BIN)/python -m playwright install --with-deps chromium

conformance: $(VENV)/.ready
	@PYTHONPATH=tests $(BIN)/python -m conformance

mutation: $(VENV)/.ready
	@PYTHONPATH=tests $(BIN)/python -m conformance.mutation

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy .github/actions/npu-compat/comment.py
	$(BIN)/mypy .ci/lint_action.py
	$(BIN)/lint-imports
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck $(WORKFLOWS)
	$(BIN)/python .ci/lint_action.py $(ACTION)
	$(BIN)/shellcheck .ci/run .ci/package .github/actions/npu-compat/*.sh examples/sharded/*.sh
	$(BIN)/zizmor --offline --quiet .github $(filter examples/%,$(WORKFLOWS))

docs: $(VENV)/.ready
	@$(BIN)/python docs/generate.py

package: $(VENV)/.ready-dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	.ci/package dist

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
