"""A container that really runs, by crun as Docker and Kubernetes would: read-only root, no capability, no new privileges.

It shares the network namespace of the caller: a test that has entered `own_network` can listen there at any port.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.image import Image

PATIENCE = 60.0  # seconds; only for a test that would hang otherwise
# This crun wants one cgroup hierarchy, and some systems have two: it is shown the newer one, and uses neither.
_CRUN = """\
mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup || exit 1
exec crun --root "$0" --cgroup-manager=disabled "$@"
"""
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and what it starts, in a network of its own: loopback, and nothing else."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as before:
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no network namespace can be made")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH", b"lo", _IFF_UP_RUNNING))
            yield
        finally:
            libc.setns(before.fileno(), _CLONE_NEWNET)


@dataclass
class Container:
    """One container of an image; `folder` keeps its bundle and its log, `volume` what outlives it."""

    image: Image
    folder: Path
    volume: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)  # read-only, by their place inside
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()  # instead of the image's command
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self._specification()))
        with (self.folder / "log").open("ab") as log:
            command = self._crun("run", "--bundle", str(self.folder), self.folder.name)
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """`docker exec`: as the image's user, in the image's folder."""
        who = ["--user", self.image.config["User"], "--cwd", self.image.config["WorkingDir"], "--no-new-privs"]
        crun = self._crun("exec", *who, self.folder.name, *command)
        return subprocess.run(crun, capture_output=True, text=True, timeout=PATIENCE)

    def signal(self, name: str) -> None:
        """`docker kill --signal`; `docker stop` sends what STOPSIGNAL names."""
        subprocess.run(self._crun("kill", self.folder.name, name), check=True, timeout=PATIENCE)

    def wait(self) -> int:
        """The exit status of its first process."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def remove(self) -> None:
        """End it at once, if it still lives."""
        subprocess.run(self._crun("delete", "--force", self.folder.name), capture_output=True, timeout=PATIENCE)
        if self.process is not None:
            self.process.wait(PATIENCE)

    def healthy(self) -> subprocess.CompletedProcess[str]:
        """The image's own HEALTHCHECK, once."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"  # there is no shell that CMD-SHELL would need
        return self.execute(*command)

    def await_healthy(self) -> None:
        until = time.monotonic() + PATIENCE
        while self.healthy().returncode:
            assert self.process is not None
            assert self.process.poll() is None, self.log[-4000:]
            assert time.monotonic() < until, self.log[-4000:]
            time.sleep(0.2)

    def first_process(self) -> dict[str, str]:
        """/proc/PID/status of its first process, seen from outside."""
        state = json.loads(
            subprocess.run(self._crun("state", self.folder.name), capture_output=True, check=True).stdout
        )
        lines = Path(f"/proc/{state['pid']}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def _crun(self, *command: str) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", _CRUN, str(self.folder.parent / "crun"), *command]

    def _specification(self) -> dict[str, Any]:
        """The runtime's config.json, from the image's configuration."""
        config = self.image.config
        user, group = map(int, config["User"].split(":"))
        environment = dict(pair.split("=", 1) for pair in config["Env"]) | dict(self.environment)
        none: list[str] = []
        return {
            "ociVersion": "1.0.2",
            "root": {"path": str(self.image.root), "readonly": True},
            "hostname": "gateway",
            "process": {
                "terminal": False,
                "user": {"uid": user, "gid": group},
                "args": [*config["Entrypoint"], *(self.arguments or config["Cmd"])],
                "cwd": config["WorkingDir"],
                "env": [f"{name}={value}" for name, value in environment.items()],
                "capabilities": dict.fromkeys(("bounding", "effective", "inheritable", "permitted", "ambient"), none),
                "noNewPrivileges": True,
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                *(_bind(place, path, "ro") for place, path in self.mounts.items()),
                *(_bind(place, self.volume, "rw") for place in config["Volumes"]),
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
                "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
            },
        }


def _bind(place: str, path: Path, how: str) -> dict[str, Any]:
    return {"destination": place, "type": "bind", "source": str(path), "options": ["rbind", how]}


def new_volume(image: Image, path: Path) -> Path:
    """An empty volume, as Docker makes it: with the owner and mode that the image's folder has."""
    path.mkdir()
    [place] = image.config["Volumes"]
    status = (image.root / place.lstrip("/")).stat()
    os.chown(path, status.st_uid, status.st_gid)
    path.chmod(status.st_mode & 0o7777)
    return path
