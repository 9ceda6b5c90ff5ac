# make demo   installs into .venv and tells the gateway's story on loopback (no root, no network)
# make test   installs what tests need (Debian packages too: root or sudo) and runs them all
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test check run-requirements test-requirements debian bench lock clean

demo: run-requirements
	$(BIN)/gateway demo

test: test-requirements debian
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: test-requirements
	$(BIN)/ruff format --check gateway tests
	$(BIN)/ruff check gateway tests
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: test-requirements
	$(BIN)/python -m tests.bench

debian:
	sh tests/debian-packages.sh

run-requirements: $(VENV)/.run
test-requirements: $(VENV)/.test

$(BIN)/python:
	sh tests/make-venv.sh $(PYTHON) $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	touch $@

lock:
	sh requirements/lock.sh

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
