"""The container image, really built: the Dockerfile by buildah, on a base image that debootstrap makes, below build/image.

The pip of this system says where packages come from: its configuration goes into the build as a secret, its folders and
certificates as read-only mounts, and none of them into the image.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from tests.support.debian_root import debian_tarball, missing_tools

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build/image"
BASE = "localhost/mail-gateway-base"
NAME = "localhost/mail-gateway"
_OPTIONS = {"index-url", "extra-index-url", "find-links", "trusted-host", "no-index", "proxy", "timeout", "retries"}
_INSIDE = "/mnt/pip"


class NoImage(Exception):
    """The image cannot be built here; the text says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its files, mounted, and its configuration (Entrypoint, Env, User, Healthcheck ...)."""

    root: Path
    config: dict[str, Any]
    size: int  # octets, all layers, uncompressed


@contextmanager
def built_image() -> Iterator[Image]:
    """Build it from the working tree (layers that did not change come from the last build). Raises NoImage."""
    lacking = [tool for tool in ("buildah", "crun") if not shutil.which(tool)]
    if why := missing_tools() or (f"missing: apt-get install {' '.join(lacking)}" if lacking else ""):
        raise NoImage(f"the image cannot be built here: {why}")
    buildah = Buildah(_driver())
    base = _base(buildah)
    options = ["--isolation", "chroot", "--layers", "--format", "docker", "--build-arg", f"BASE={base}"]
    with TemporaryDirectory() as secrets:
        buildah("bud", "--quiet", "--pull-never", *options, *pip_options(Path(secrets)), "--tag", NAME, str(ROOT))
    container = buildah("from", "--pull-never", NAME)
    try:
        described = json.loads(buildah("inspect", "--type", "image", NAME))
        size = next(
            each["size"]
            for each in json.loads(buildah("images", "--json"))
            if f"{NAME}:latest" in (each["names"] or ())
        )
        root = Path(buildah("mount", container))
        yield Image(root, described["Docker"]["config"], _octets(size))
    finally:
        buildah("rm", container)


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with a storage of its own, so that other images of this system are left alone."""

    driver: str

    def __call__(self, *command: str) -> str:
        where = ["--root", str(HOME / "storage"), "--runroot", str(HOME / "run"), "--storage-driver", self.driver]
        done = subprocess.run(["buildah", *where, *command], capture_output=True, text=True)
        if done.returncode:
            raise NoImage(f"buildah {command[0]}: exit {done.returncode}\n{(done.stdout + done.stderr)[-6000:]}")
        return done.stdout.strip()


def _driver() -> str:
    """Overlay where the kernel can stack folders here, else plain copies."""
    folder = HOME / "try"
    parts = [folder / name for name in ("lower", "upper", "work", "merged")]
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    how = "lowerdir={},upperdir={},workdir={}".format(*parts)
    mount = ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", how, str(parts[3])]
    works = subprocess.run(mount, capture_output=True).returncode == 0
    shutil.rmtree(folder)
    return "overlay" if works else "vfs"


def _base(buildah: Buildah) -> str:
    """The base image of this tarball."""
    tarball = debian_tarball()
    name = f"{BASE}:{tarball.stem}"
    known = [found for each in json.loads(buildah("images", "--json") or "[]") for found in each["names"] or ()]
    if name not in known:
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, str(tarball), "/")
        buildah("commit", "--quiet", "--rm", container, name)
    return name


def pip_options(folder: Path) -> list[str]:
    """Options of `buildah bud` that let pip inside find what pip outside finds; pip.conf is written to `folder`."""
    settings = _pip_settings()
    options: list[str] = []
    mounts: dict[str, str] = {}

    def inside(word: str) -> str:
        """The word with its folder's place inside; an index links to folders beside its own, so the parent is mounted."""
        path = Path(urlsplit(word).path if word.startswith("file:") else word)
        if not path.is_absolute() or not path.is_dir() or path.parent == path.parent.parent:
            return word
        place = mounts.setdefault(str(path.parent), f"{_INSIDE}/{len(mounts)}")
        return ("file://" if word.startswith("file:") else "") + f"{place}/{path.name}"

    lines = ["[global]"]
    for name, value in settings.items():
        if name in _OPTIONS:
            lines.append(f"{name} = {' '.join(map(inside, value.split()))}")
    if certificates := settings.get("cert"):
        lines.append("cert = /run/secrets/certificates")
        options += ["--secret", f"id=certificates,src={certificates}"]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    options += ["--secret", f"id=pip,src={folder / 'pip.conf'}"]
    for outside, target in mounts.items():
        options += ["--volume", f"{outside}:{target}:ro"]
    return options


def _pip_settings() -> dict[str, str]:
    """What `pip config list` tells, the environment's last: it outranks the files."""
    shown = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    found: dict[str, str] = {}
    pairs = [line.partition("=") for line in shown.stdout.splitlines() if "=" in line]
    for name, _, value in sorted(pairs, key=lambda pair: pair[0].startswith(":env:")):
        section, _, option = name.rpartition(".")
        if section in ("global", "install", "wheel", ":env:"):
            found["timeout" if option == "default-timeout" else option] = str(ast.literal_eval(value))
    return found


def _octets(size: str) -> int:
    number, unit = size.split()
    return int(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit.upper()])
