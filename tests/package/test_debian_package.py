"""The Debian package from first installation to purge, by dpkg in a booted Debian: nothing starts by itself, an
administrator's edits survive, mail goes on over an upgrade, and only purge deletes mail."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.booted import Machine, children
from tests.support.node import ROOT
from tests.support.packaged import Office, office

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

DOORS = ("gateway-smtp.socket", "gateway.service")


def unpacked(package: Path, folder: Path) -> Path:
    subprocess.run(["dpkg-deb", "-R", str(package), str(folder)], check=True)
    return folder


def newer(package: Path, folder: Path) -> Path:
    """The same package as a later version, which ships another gateway.toml."""
    tree = unpacked(package, folder / "tree")
    control = tree / "DEBIAN/control"
    version = next(line for line in control.read_text().splitlines() if line.startswith("Version:"))
    control.write_text(control.read_text().replace(version, f"{version}+1"))
    with (tree / "etc/gateway/gateway.toml").open("a") as file:
        file.write("# a line that the next version brings\n")
    built = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(built)], check=True)
    return built


def states(machine: Machine) -> list[str]:
    return [machine.show(unit, "ActiveState") for unit in DOORS]


def test_nothing_in_the_package_knows_where_it_was_built(package: Path, tmp_path: Path) -> None:
    tree = unpacked(package, tmp_path / "tree")
    found = subprocess.run(
        ["grep", "-rlE", r"/tmp/tmp\.|[^.]/build/deb", str(tree)], capture_output=True, text=True
    ).stdout.splitlines()
    assert not found
    programs = {path.name for path in (tree / "usr/lib/mail-gateway/bin").iterdir()}
    assert programs == {"gateway", "python", "python3"}
    assert (tree / "usr/lib/mail-gateway/bin/python3").readlink() == Path("/usr/bin/python3")


def test_every_file_in_etc_is_a_conffile(package: Path, tmp_path: Path) -> None:
    tree = unpacked(package, tmp_path / "tree")
    files = {f"/{path.relative_to(tree)}" for path in (tree / "etc").rglob("*") if path.is_file()}
    assert set((tree / "DEBIAN/conffiles").read_text().split()) == files
    assert {"/etc/gateway/gateway.toml", "/etc/gateway/policies/units.csv"} <= files


def test_lintian_finds_nothing(package: Path, tmp_path: Path) -> None:
    if not shutil.which("lintian"):
        pytest.skip("no lintian: apt-get install lintian")
    command = ["lintian", "--allow-root", "--fail-on", "error,warning"]
    if not (ROOT / "docs/man/gateway.1").exists():
        command += ["--suppress-tags", "no-manual-page"]  # it is generated, and taken in where it has been
    done = subprocess.run([*command, str(package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_life_of_the_package(machine: Machine, package: Path, tmp_path: Path) -> None:
    """One story, as each step needs the one before it."""
    with office(machine) as place:
        installs_and_starts_nothing(machine)
        runs_by_hand_with_the_shipped_settings(place)
        begins_when_enabled(place)
        shutil.copy(newer(package, tmp_path), machine.root.path / "srv/newer.deb")
        keeps_edits_and_goes_on_over_an_upgrade(place)
        removed_leaves_state_and_settings(place)
        installed_again_finds_them(place)
        purged_deletes_them(machine)


def installs_and_starts_nothing(machine: Machine) -> None:
    said = machine.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "/srv/mail-gateway.deb").stdout
    assert "systemctl enable --now gateway-smtp.socket gateway" in said
    assert states(machine) == ["inactive", "inactive"]
    assert machine.run("systemctl", "is-enabled", *DOORS, check=False).stdout.split() == ["disabled", "disabled"]
    assert machine.run("dpkg", "--verify", "mail-gateway").stdout == ""
    machine.run("gateway", "check")  # finds /etc/gateway by itself
    assert machine.run("stat", "-c", "%U %a", "/var/lib/gateway").stdout == "gateway 750\n"


def runs_by_hand_with_the_shipped_settings(place: Office) -> None:
    """As its own user and without systemd."""
    machine = place.machine
    by_hand = (
        "set -a; . /etc/default/mail-gateway; exec setpriv --reuid gateway --regid gateway --clear-groups gateway run"
    )
    process = subprocess.Popen(
        machine.command("sh", "-c", by_hand), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        place.await_greeting(2525)
        assert place.send("by hand", port=2525).startswith("250")
        assert place.subjects() == ["by hand"]
    finally:
        os.kill(next(children(process.pid)), signal.SIGTERM)
        assert process.wait(60) == 0


def begins_when_enabled(place: Office) -> None:
    place.machine.run("systemctl", "enable", "--now", "gateway-smtp.socket", "gateway")
    assert states(place.machine) == ["active", "active"]
    assert place.send("TUYET MAT 01").startswith("250")
    assert [entry["subject"] for entry in place.json("quarantine", "list")] == ["TUYET MAT 01"]


def keeps_edits_and_goes_on_over_an_upgrade(place: Office) -> None:
    machine, etc = place.machine, place.machine.root.path / "etc/gateway"
    for name in ("gateway.toml", "policies/units.csv"):
        with (etc / name).open("a") as file:
            file.write("# ours\n" if name.endswith(".toml") else "th-ours,Trường Tiểu học Bình Đức,th,sgddt,,,,\n")
    before = machine.show("gateway", "MainPID")
    machine.run("dpkg", "--force-confold", "-i", "/srv/newer.deb")  # what an unattended upgrade does
    assert (etc / "gateway.toml").read_text().endswith("# ours\n")
    assert "a line that the next version brings" in (etc / "gateway.toml.dpkg-dist").read_text()
    assert "th-ours" in (etc / "policies/units.csv").read_text()
    assert place.send("after the upgrade").startswith("250")
    machine.await_true(lambda: machine.journal().count('"event":"ready"') == 2, "the new program does not take over")
    assert (machine.show("gateway", "MainPID"), machine.show("gateway", "NRestarts")) == (before, "0")
    assert states(machine) == ["active", "active"]


def removed_leaves_state_and_settings(place: Office) -> None:
    machine = place.machine
    machine.run("dpkg", "-r", "mail-gateway")
    assert states(machine) == ["inactive", "inactive"]
    assert not (machine.root.path / "usr/lib/mail-gateway").exists()
    assert (machine.root.path / "var/lib/gateway/gateway.db").exists()
    assert "# ours" in (machine.root.path / "etc/gateway/gateway.toml").read_text()
    with pytest.raises(ConnectionRefusedError), contextlib.closing(socket.create_connection(("127.0.0.1", 25))):
        pass


def installed_again_finds_them(place: Office) -> None:
    place.machine.run("dpkg", "--force-confold", "-i", "/srv/newer.deb")
    place.machine.run("systemctl", "start", "gateway-smtp.socket", "gateway")
    assert [entry["subject"] for entry in place.json("quarantine", "list")] == ["TUYET MAT 01"]


def purged_deletes_them(machine: Machine) -> None:
    said = machine.run("dpkg", "--purge", "mail-gateway").stdout
    assert "not empty" not in said, said
    left = machine.run(
        "find", "/etc", "/usr", "/var", "/run", "-name", "*gateway*", "-not", "-path", "/var/log/journal/*"
    ).stdout.split()
    assert [path for path in left if not path.startswith("/etc/default/")] == []
    assert machine.run("getent", "passwd", "gateway").returncode == 0  # so that no other user gets its number
