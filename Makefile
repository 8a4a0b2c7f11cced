# `make demo` and `make test` do all the set-up on a fresh machine.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: install chromium demo app check static types unit test test-all docs clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "Python could not make a virtual environment: install python3-venv (Debian," \
	  "Ubuntu), or give another Python 3.11+ with make PYTHON=..." >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[dev]"
# On all cores, where pip takes one. Some packages bring files for later Pythons, which fail.
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

# The browser tests need a Chromium; see the script for where it comes from.
chromium: install
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/e2e/install_chromium.sh

# EMORL_DEMO_SERVE=0 runs without the dashboard and ends when the run is finished.
demo: install
	$(BIN)/emorl demo $(if $(filter 0,$(EMORL_DEMO_SERVE)),--no-serve)

app: install
	$(BIN)/emorl dashboard

# Format, lint, types, import rules and unit tests: below a minute and a half on two cores.
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	+$(MAKE) --jobs=2 --output-sync=target types unit

static: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	+$(MAKE) types

types: install
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: install
	$(BIN)/pytest -n 2 --dist loadfile --ignore=tests/e2e -m "not slow and not browser"

# Two files at a time. Browsers have a turn of their own: beside other tests they wait for frames.
test: static chromium
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not browser"
	$(BIN)/pytest -n 2 --dist loadfile -m browser

# All that, and what takes minutes by itself: twenty kills, rebuilding a scorer, more examples.
test-all: test
	EMORL_TESTS=all $(BIN)/pytest -n 2 --dist loadfile \
	  -m nightly tests
	EMORL_TESTS=all $(BIN)/pytest -n 2 --dist loadfile \
	  tests/test_survival.py tests/atlas tests/search tests/test_weights.py

# The documentation as a site, in site/.
docs: install
	$(BIN)/mkdocs build --quiet

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache
