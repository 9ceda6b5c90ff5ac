"""The package as `make deb` builds it, and a booted Debian with nothing of ours in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booted import PACKAGES, Machine, booted
from tests.support.debian_root import debian_root
from tests.support.node import ROOT


@pytest.fixture(scope="session")
def package() -> Path:
    """MAIL_GATEWAY_DEB names one that has been built already."""
    if there := os.environ.get("MAIL_GATEWAY_DEB"):
        return Path(there)
    built = subprocess.run(["sh", str(ROOT / "deploy/debian/build.sh")], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return Path(built.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def machine(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The package lies in /srv/mail-gateway.deb, not installed."""
    folder = tmp_path_factory.mktemp("machine")
    try:
        root = debian_root(folder / "root", packages=(*PACKAGES, "logrotate"))
        shutil.copy(package, root.path / "srv/mail-gateway.deb")
        with booted(root) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)
