#!/bin/sh
# Make a virtual environment; on a bare Debian the package python3-venv is fetched first.
# usage: make-venv.sh PYTHON DIRECTORY
set -eu
python=$1 directory=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found: $("$python" --version)" >&2; exit 1; }
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing python3-venv"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
"$python" -m venv "$directory"
