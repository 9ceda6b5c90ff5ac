"""deploy/systemd as systemd itself reads it, and against what the program expects; tests/package runs it (O-1, O-7)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.supervisor import CONFIGURATION
from gateway.supervisor.sockets import DOORS
from tests.support.node import ROOT

UNITS = ROOT / "deploy/systemd"
SERVICE = UNITS / "gateway.service"
SOCKETS = sorted(UNITS.glob("*.socket"))
MOST = 2.0  # exposure (safety O-7)

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def value(unit: Path, key: str) -> str:
    (found,) = values(unit, key)
    return str(found)


@needs_systemd
def test_systemd_has_nothing_to_object(tmp_path: Path) -> None:
    """Unknown keys, wrong values, missing units. The program and its manual page are elsewhere."""
    for unit in (SERVICE, *SOCKETS):
        (tmp_path / unit.name).write_text(unit.read_text().replace("ExecStart=/usr/bin/gateway", "ExecStart=/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in (SERVICE, *SOCKETS))],
        capture_output=True,
        text=True,
    )
    said = [line for line in done.stderr.splitlines() if "gateway" in line]
    assert (done.returncode, said) == (0, [])


@needs_systemd
def test_exposure_is_low() -> None:
    """O-7, reckoned from the file alone."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST * 10:.0f}", str(SERVICE)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_systemd_waits_longer_than_the_program_drains() -> None:
    """O-1: drain, ten seconds of grace, thirty for the services process."""
    assert int(value(SERVICE, "TimeoutStopSec")) > Settings().drain + 40
    assert value(SERVICE, "KillMode") == "mixed"  # the supervisor passes the signal on; workers get none from systemd


def test_a_mistake_in_the_settings_is_no_reason_to_begin_again() -> None:
    assert value(SERVICE, "RestartPreventExitStatus") == str(CONFIGURATION)
    burst, interval = int(value(SERVICE, "StartLimitBurst")), int(value(SERVICE, "StartLimitIntervalSec"))
    assert interval / int(value(SERVICE, "RestartSec")) < burst  # what passes by itself is tried for ever


@pytest.mark.parametrize("unit", SOCKETS, ids=lambda unit: unit.stem)
def test_sockets_have_the_names_that_the_program_knows(unit: Path) -> None:
    assert value(unit, "FileDescriptorName") in DOORS
    assert value(unit, "FileDescriptorName") in unit.stem
    assert value(unit, "Service") == SERVICE.name
    assert value(unit, "RequiredBy") == SERVICE.name


def test_the_service_may_write_where_settings_and_notes_say() -> None:
    state = value(SERVICE, "StateDirectory")
    assert (state, value(SERVICE, "User"), value(SERVICE, "UMask")) == ("gateway", "gateway", "0077")
    (folder,) = {
        Path(path).parent for path in re.findall(r"append:(\S+)", (UNITS / "logging.conf.example").read_text())
    }
    assert folder == Path("/var/log") / value(SERVICE, "LogsDirectory")
    assert f"{folder}/mail.log {{" in (ROOT / "deploy/logrotate/mail-gateway").read_text()
    milter = UNITS / "gateway-milter.socket"
    assert str(Path(value(milter, "ListenStream")).parent) in value(SERVICE, "ReadWritePaths")
    assert value(milter, "ListenStream") in (ROOT / "deploy/postfix/gateway.toml").read_text()


@pytest.mark.parametrize("name", ["build.sh", "gateway.sh", "postinst", "prerm", "postrm"])
def test_scripts_of_the_package_are_shell(name: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / "deploy/debian" / name)], check=True)
