# make demo   installs into .venv and tells the gateway's story on loopback (no root, no network)
# make test   installs what tests need (Debian packages too: root or sudo) and runs them all
# make image  builds the container image mail-gateway with buildah or docker
# make image-test  builds it on a base of its own and runs it with real mail; needs root (installs buildah, crun, debootstrap)
# make deb    builds build/deb/mail-gateway_VERSION_ARCH.deb for this Debian (no root, once python3-venv is there)
# make docs   builds the pages below docs/ into build/site; fails on a broken link, a page outside the navigation, anything from elsewhere
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST_WORKERS ?= 2      # test files at a time: much of the time they wait for real servers

.PHONY: man demo test check docs reference run-requirements test-requirements docs-requirements debian bench lock clean image image-test deb

demo: run-requirements
	$(BIN)/gateway demo

test: test-requirements debian
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

check: test-requirements
	$(BIN)/ruff format --check gateway tests docs
	$(BIN)/ruff check gateway tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: test-requirements
	$(BIN)/python -m tests.bench

docs: docs-requirements
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky -q -E -b html -d build/site.trees docs build/site
	@echo "build/site/index.html"

reference: run-requirements
	$(BIN)/python -m docs.generator

debian:
	sh tests/debian-packages.sh

image:
	$$(command -v buildah >/dev/null && echo buildah bud --layers --format docker || echo docker build) $(IMAGE_ARGS) --tag mail-gateway .

deb:
	sh deploy/debian/build.sh

image-test: test-requirements
	sh tests/debian-packages.sh image
	$(BIN)/python -m pytest -m image $(PYTEST_ARGS)

run-requirements: $(VENV)/.run
test-requirements: $(VENV)/.test
docs-requirements: $(VENV)/.docs

$(BIN)/python:
	sh tests/make-venv.sh $(PYTHON) $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	touch $@

lock:
	sh requirements/lock.sh

man: run-requirements
	$(BIN)/python -m gateway.cli.man docs/man

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
