"""What is in the image, and what is not (O-8, O-14)."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.support.image import Image

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]
REPOSITORY = Path(__file__).parents[2]
LARGEST = 160 * 10**6  # octets; a new dependency that passes it should be worth it
SHELLS_AND_TOOLS = (
    r"(ba|da|z)?sh|busybox|perl.*|apt.*|dpkg.*|pip.*|gcc.*|cc|c\+\+|g\+\+.*|ld|as|make|curl|wget|tar|su|mount"
)


def files(image: Image) -> Iterator[Path]:
    """Every file and link of the image, but for the mount points that a runtime may have put there."""
    return (path for path in image.root.rglob("*") if path.is_symlink() or path.is_file())


def test_the_image_is_small(image: Image, record_property: pytest.RecordProperty) -> None:
    parts = {name: sum(f.lstat().st_size for f in (image.root / name).rglob("*")) for name in ("usr", "opt/gateway")}
    record_property("size", f"{image.size / 1e6:.0f} MB: {', '.join(f'{k} {v / 1e6:.0f}' for k, v in parts.items())}")
    assert image.size < LARGEST, parts


def test_no_shell_no_compiler_no_package_manager(image: Image) -> None:
    """O-8: whoever breaks in finds nothing to go on with."""
    programs = {path.name for path in files(image) if path.parent.name in ("bin", "sbin")}
    assert {"gateway", "python3"} <= programs
    assert not {name for name in programs if re.fullmatch(SHELLS_AND_TOOLS, name)}
    packages = {path.name for path in (image.root / "opt/gateway/lib").glob("python3*/site-packages/*")}
    assert not packages & {"pip", "setuptools", "wheel"}
    assert not list(image.root.glob("usr/lib/python3*/ensurepip"))
    assert not list(image.root.glob("var/lib/apt/**/*"))


def test_nothing_of_the_building_machine_is_left(image: Image) -> None:
    for place in ("run/secrets", "etc/pip.conf", "mnt", "build", "root", "etc/apt", "root-folder"):
        assert not (image.root / place).exists(), place


def test_no_file_gives_privileges_or_can_be_changed_by_the_service(image: Image) -> None:
    for path in files(image):
        status = path.lstat()
        assert not status.st_mode & (stat.S_ISUID | stat.S_ISGID), path
        assert path.is_symlink() or not status.st_mode & stat.S_IWOTH, path
        assert (status.st_uid, status.st_gid) == (0, 0), path
    volume = (image.root / "var/lib/gateway").stat()
    assert (volume.st_uid, volume.st_gid, stat.S_IMODE(volume.st_mode)) == (10025, 10025, 0o700)


def test_exactly_the_locked_packages_are_installed(image: Image) -> None:
    """O-14: what requirements/run.txt locks, in those versions."""
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (REPOSITORY / "requirements/run.txt").read_text(), re.MULTILINE))
    for name in ("colorama", "setuptools"):  # for Windows; for building
        locked.pop(name)
    [folder] = (image.root / "opt/gateway/lib").glob("python3*/site-packages")
    found = {re.sub(r"[-_.]+", "-", each.name).lower(): each.version for each in distributions(path=[str(folder)])}
    version = found.pop("mail-gateway")
    assert found == locked
    assert image.config["Labels"]["org.opencontainers.image.version"] == version


def test_every_module_is_compiled(image: Image) -> None:
    """A read-only root cannot keep what Python compiles, so each start would do it again."""
    for source in (
        *image.root.glob("opt/gateway/lib/python3*/site-packages/gateway/**/*.py"),
        *image.root.glob("usr/lib/python3*/*.py"),
    ):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")), source


def test_licences_and_package_list_are_kept(image: Image) -> None:
    """What scanners of packages read, and what the licences ask for."""
    listed = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3", "libsqlite3-0", "tzdata"} <= listed
    for name in ("libc6", "libssl3", "libsqlite3-0"):
        assert (image.root / "usr/share/doc" / name / "copyright").exists(), name


def test_the_configuration_is_what_orchestrators_need(image: Image) -> None:
    """A numeric user (runAsNonRoot), one volume, a check without a shell, SIGTERM, the ports of the settings."""
    config = image.config
    settings = tomllib.loads((image.root / "etc/gateway/gateway.toml").read_text())
    ports = {f"{listen.rpartition(':')[2]}/tcp" for listen in (*settings["smtp"]["listen"], settings["http"]["listen"])}
    assert config["User"] == "10025:10025"
    assert list(config["Volumes"]) == [settings["state"]]
    assert set(config["ExposedPorts"]) == ports
    assert config["StopSignal"] == "SIGTERM"
    assert (config["Entrypoint"], config["Cmd"]) == (["gateway"], ["run"])
    assert config["Healthcheck"]["Test"][0] == "CMD"
