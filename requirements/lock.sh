#!/bin/sh
# Lock the requirements of pyproject.toml with hashes; needs uv. The files name no index, so each machine uses its own.
set -eu
cd "$(dirname "$0")/.."
lock() { uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate "$@" pyproject.toml >/dev/null; }
lock --extra build -o requirements/run.txt
lock --extra build --extra test -o requirements/test.txt
lock --extra build --extra test --extra docs --constraint requirements/test.txt -o requirements/docs.txt
