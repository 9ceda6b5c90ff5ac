"""docs/tutorial: the first hour of a postmaster, run line by line in a booted Debian that has never seen the gateway."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booted import PACKAGES, Machine, booted
from tests.support.debian_root import debian_root
from tests.support.dns_thread import dns_thread
from tests.support.node import ROOT

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

PAGES = ROOT / "docs/tutorial"
HERE = Path("root")  # where the postmaster sits: root's home


def commands(page: str) -> list[str]:
    """The tutorial's shell blocks, in order."""
    return re.findall(r"^```sh tutorial\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def machine(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Its network leads nowhere, so what apt would fetch besides the package is there already."""
    folder = tmp_path_factory.mktemp("first-hour")
    try:
        root = debian_root(folder / "root", packages=(*PACKAGES, "logrotate", "curl"))
        shutil.copy(package, root.path / HERE / package.name)
        with booted(root) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_both_languages_have_the_same_commands() -> None:
    assert [block.replace("--lang vi", "--lang en") for block in commands("gio-dau-tien.md")] == commands(
        "first-hour.md"
    )


def test_the_first_hour(machine: Machine) -> None:
    """Every command succeeds, and the steps show what the text says they show."""
    install, demo, settings, start, send, look, release, doctor, sleep = commands("first-hour.md")
    with machine.network(), dns_thread({}, port=53):
        (machine.root.path / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        assert re.search(r"^(mail-gateway|gateway) \d", run(machine, install), re.MULTILINE)
        assert "inactive" in machine.run("systemctl", "is-active", "gateway.service", check=False).stdout
        assert "17" in run(machine, demo)
        run(machine, settings)
        assert "active" in run(machine, start)
        run(machine, send)
        seen = run(machine, look)
        assert "free-provider" in seen
        assert seen.count("Báo cáo số 12/BC-THPT") >= 2  # held, and in the register
        assert len(re.findall(r"^\d+\.\S+$", seen, re.MULTILINE)) == 1  # the question is in the folder
        released = run(machine, release)
        assert len(re.findall(r"^\d+\.\S+$", released, re.MULTILINE)) == 2
        examined = run(machine, doctor)
        assert "MX" in examined
        assert "0.0.0.0:25" in examined  # the door that systemd holds, and not the one in the settings
        assert "2525" not in examined
        assert "gateway_ready 1.0" in run(machine, sleep)


def run(machine: Machine, block: str) -> str:
    """A block as somebody types it, in a shell that stops at the first failure."""
    return machine.run("bash", "-euo", "pipefail", "-c", f"cd /{HERE}\n{block}").stdout
