"""A fresh Debian root folder, made with debootstrap from this system's own mirror and kept as a tarball for the next time.

    root = debian_root(tmp_path / "root", packages=("python3",))      # unpacked from build/debian, made there when missing
    root.run("dpkg", "-i", "/srv/mail-gateway.deb")                   # as root of it; or user="gateway"
    gateway = root.popen("gateway", "run", user="gateway")            # its process id is the program's own: signals reach it
    root.path / "etc/gateway"                                         # its files, from outside

Needs root and the package debootstrap. No service of a package is started in the root. Mounts (/proc, /sys, /dev,
resolv.conf, hosts) live in a mount namespace of each command, so the folder can be deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CACHE = Path(__file__).resolve().parents[2] / "build/debian"
SUITE = "bookworm"
RECIPE = 1  # raise it when what is made below changes, so that older tarballs are not used
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APT = re.compile(r'Acquire::(?:(?:http|https)::|Check-|Retries|Allow)[^"]*"[^"]*";')
_ENTER = """\
set -e
cd "$0"
mount --make-rprivate /
mount --rbind /dev dev && mount --rbind /sys sys && mount -t proc proc proc
for file in resolv.conf hosts; do
  [ -e "etc/$file" ] || : >"etc/$file"
  [ ! -e "/etc/$file" ] || mount --bind "/etc/$file" "etc/$file"
done
exec chroot "$@"
"""


class NoDebianRoot(Exception):
    """No root can be made here; the text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One line of the system's apt sources."""

    uri: str
    suite: str
    components: tuple[str, ...]

    def line(self) -> str:
        return f"deb {self.uri} {self.suite} {' '.join(self.components)}\n"


@dataclass(frozen=True, slots=True)
class DebianRoot:
    """A folder with a Debian in it."""

    path: Path

    def run(self, *command: str, user: str = "", check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a program of the root to its end; `more` goes to subprocess.run. Output is text, captured."""
        options: dict[str, Any] = {"capture_output": True, "text": True, "env": self.environment()} | more
        done: subprocess.CompletedProcess[str] = subprocess.run(self.command(*command, user=user), **options)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout or ''}{done.stderr or ''}")
        return done

    def popen(self, *command: str, user: str = "", **more: Any) -> subprocess.Popen[bytes]:
        """Start a program of the root, in the background; `more` goes to subprocess.Popen."""
        return subprocess.Popen(self.command(*command, user=user), **({"env": self.environment()} | more))

    def install(self, *packages: str) -> None:
        """Packages from the mirror, or .deb files of the root by their absolute path."""
        self.run("apt-get", "update", "-qq")
        self.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)

    def command(self, *command: str, user: str = "") -> list[str]:
        """The command line that runs `command` in the root."""
        who = [f"--userspec={user}"] if user else []
        return ["unshare", "--mount", "sh", "-c", _ENTER, str(self.path), *who, str(self.path), *command]

    @staticmethod
    def environment() -> dict[str, str]:
        """A bare environment, with this system's proxies."""
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        return {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **proxies}


def debian_root(target: Path, *, packages: Sequence[str] = (), suite: str = SUITE) -> DebianRoot:
    """Unpack a minimal Debian with these packages into `target`, which must not exist. Raises NoDebianRoot."""
    tarball = debian_tarball(packages=packages, suite=suite)
    target.mkdir(parents=True)
    _checked(["tar", "-x", "--numeric-owner", "--xattrs", "-p", "-C", str(target), "-f", str(tarball)])
    return DebianRoot(target)


def debian_tarball(*, packages: Sequence[str] = (), suite: str = SUITE) -> Path:
    """The tarball of such a root (uncompressed; made when missing, which takes minutes). Raises NoDebianRoot."""
    names = sorted(set(packages))
    key = hashlib.sha256(repr((RECIPE, suite, names)).encode()).hexdigest()[:12]
    tarball = CACHE / f"{suite}-{key}.tar"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _locked(tarball.with_suffix(".lock")):
        if not tarball.exists():
            below = debian_tarball(suite=suite) if names else None
            _make(tarball, below, names, suite)
    return tarball


def missing_tools() -> str:
    """Why no root can be made here; empty when it can."""
    if os.geteuid() != 0:
        return "not root; run it as root or with sudo"
    absent = [tool for tool in ("debootstrap", "apt-get", "unshare") if not shutil.which(tool)]
    return f"missing: {', '.join(absent)}; apt-get install {' '.join(absent)}" if absent else ""


def archives() -> list[Archive]:
    """The archives that this system's apt reads, in its order."""
    shown = _checked(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
    found: dict[tuple[str, str], list[str]] = {}
    for line in shown.splitlines():
        uri, suite, component = line.split()
        found.setdefault((uri.rstrip("/"), suite), []).append(component)
    return [Archive(uri, suite, tuple(dict.fromkeys(components))) for (uri, suite), components in found.items()]


def _make(tarball: Path, below: Path | None, packages: Sequence[str], suite: str) -> None:
    if why := missing_tools():
        raise NoDebianRoot(f"a Debian root cannot be made: {why}")
    work = tarball.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        if below is None:
            _bootstrap(work, suite)
        else:
            with tarfile.open(below) as archive:
                archive.extractall(work, numeric_owner=True, filter="fully_trusted")
            DebianRoot(work).install(*packages)
        _tidy(work)
        finished = tarball.with_suffix(".new")
        _checked(["tar", "-c", "--numeric-owner", "--xattrs", "-C", str(work), "-f", str(finished), "."])
        finished.rename(tarball)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _bootstrap(work: Path, suite: str) -> None:
    every = archives()
    main = next((each for each in every if each.suite == suite), None)
    if main is None:
        known = ", ".join(sorted({each.suite for each in every})) or "none"
        raise NoDebianRoot(
            f"apt's sources have no suite {suite} (they have: {known}); add it to /etc/apt/sources.list.d"
        )
    include = ["--include=ca-certificates"] if main.uri.startswith("https:") else []
    _checked(["debootstrap", "--variant=minbase", *include, suite, str(work), main.uri])
    ours = [each for each in every if each.suite.split("-")[0] == suite and each.suite.count("-") <= 1]
    (work / "etc/apt/sources.list").write_text("".join(each.line() for each in ours))
    settings = "\n".join(_APT.findall(_checked(["apt-config", "dump"])))
    (work / "etc/apt/apt.conf.d/90mirror").write_text(f'{settings}\nAcquire::Languages "none";\n')
    (work / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    (work / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (work / "usr/sbin/policy-rc.d").chmod(0o755)
    root = DebianRoot(work)
    root.run("apt-get", "update", "-qq")
    root.run("apt-get", "dist-upgrade", "-y", "-qq")


def _tidy(work: Path) -> None:
    DebianRoot(work).run("apt-get", "clean")
    for leftover in (*work.glob("var/lib/apt/lists/*"), *work.glob("var/cache/apt/*.bin")):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    for name in ("resolv.conf", "hosts"):  # the running system's are put over them
        (work / "etc" / name).unlink(missing_ok=True)
        (work / "etc" / name).touch()
    (work / "etc/hostname").write_text("debian\n")


@contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _checked(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoDebianRoot(f"{' '.join(command)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout
