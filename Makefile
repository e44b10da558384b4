# One environment, .venv, made from the pinned requirements. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Each test process needs a core and up to 4 GB. A file of tests stays in one process, which shares its fixtures.
TEST_PROCESSES ?= 2
# How much the longer tiers do: small (a part, for each change) or full (before a release).
BUDGET ?= full
PYTEST := $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
# Tests that need neither Keras nor other processes.
QUICK_TESTS := $(wildcard tests/analysis tests/cli/test_*_tables.py tests/data tests/device/boards tests/inputs \
  tests/recipe \
  tests/records tests/space tests/tools tests/values tests/techniques/test_registry.py tests/tuning/schedulers \
  tests/test_errors.py tests/test_files.py tests/test_public_surface.py)

.DEFAULT_GOAL := help
.PHONY: help install develop demo notebook quick test lint pytest compat faults fuzz browser lesson docs audit wheel lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

install: $(VENV)/.runtime  ## make .venv and install eyetune in it

develop: $(VENV)/.development  ## install the development tools too

$(BIN)/python:
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 13); sys.exit(None if ok else \
	  "eyetune needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is " + sys.version.split()[0] + \
	  ". Name another one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Could not make a virtual environment: see above. \
	On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing eyetune and what it needs into $(VENV) (TensorFlow is about 250 MB) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/runtime.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.development: requirements/development.txt $(VENV)/.runtime
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/development.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.development
	@echo "Installing what builds the site into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/docs.txt
	@touch $@

demo: install  ## from handwritten digits to a verified network for a board (no download of data)
	@$(BIN)/python tools/demo.py

notebook: install  ## open the lesson in JupyterLab, which is installed first if it is missing
	@$(BIN)/python -c 'import jupyterlab' 2>/dev/null || \
	  { echo "Installing JupyterLab into $(VENV) ..."; $(PIP_INSTALL) jupyterlab; }
	$(BIN)/python -m jupyterlab notebooks/lab.ipynb

quick: lint  ## lint and the fastest tests, in 90 seconds
	$(PYTEST) --quiet $(QUICK_TESTS) -m "not slow"

test: lint pytest  ## lint and all tests, in 12 minutes on two cores

lint: develop  ## ruff, mypy --strict, import contracts, bandit, spelling, discouraged phrases
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src tools
	$(BIN)/codespell
	$(BIN)/python tools/check_phrases.py

pytest: develop  ## all tests, without lint
	$(PYTEST)

compat: develop  ## run scripts of KerasTuner under KerasTuner and under eyetune, and compare
	$(BIN)/python -m tests.compat.suite --budget $(BUDGET)

faults: develop  ## kill processes, fill disks and more: BUDGET=small takes a part, FAULTS_SEED=N repeats one
	BUDGET=$(BUDGET) $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadgroup tests/faults

fuzz: develop  ## give all readers damaged and hostile files
	$(BIN)/python -m tests.fuzz.suite --budget $(BUDGET)

browser: develop  ## the dashboard in a headless Chromium; skipped where there is none
	$(BIN)/python -m pytest --numprocesses 0 tests/browser

lesson: develop  ## execute the lesson, and write it into docs/lesson.md (half an hour, with CIFAR-10)
	@$(BIN)/python -c 'import nbconvert' 2>/dev/null || \
	  { echo "Installing nbconvert into $(VENV) ..."; $(PIP_INSTALL) nbconvert; }
	$(BIN)/python tools/make_lesson.py --notebook build/lesson.ipynb

docs: $(VENV)/.docs  ## build the site into build/site, strictly, and check its links
	$(BIN)/python tools/make_command_reference.py
	$(BIN)/zensical build --clean --strict
	$(BIN)/python tools/check_site.py build/site

audit: develop  ## check the pinned dependencies for known vulnerabilities (asks PyPI)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements/development.txt \
		--requirement requirements/docs.txt

wheel: develop  ## build the wheel, install it into a new environment and use it
	$(BIN)/python tools/check_wheel.py

lock: | $(BIN)/python  ## pin the dependencies after a change in pyproject.toml
	@$(PIP_INSTALL) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --extra dashboard pyproject.toml requirements/build.in --output-file requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --group dev pyproject.toml requirements/build.in --constraints requirements/runtime.txt \
	  --output-file requirements/development.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --group docs --constraints requirements/development.txt \
	  --output-file requirements/docs.txt

clean:  ## remove .venv, the built distributions and the caches of the tools
	rm -rf $(VENV) build dist src/eyetune.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
