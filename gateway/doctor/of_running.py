"""The running gateway, where there is one: alive, ready, and of the files as they are now."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import gateway
from gateway.doctor.check import Check
from gateway.doctor.dial import dialled
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.of_host import PROGRAM
from gateway.doctor.talk import words_of
from gateway.doctor.world import World, in_thread
from gateway.policy.parse import digest_of
from gateway.reloader.directory import read_directory
from gateway.reloader.generations import Generations
from gateway.settings import Address, parse_listen

SECONDS: Final = 8.0  # /readyz asks others, for up to five seconds
PAGE_MAX: Final = 4 * 1024 * 1024
RESTART: Final = same("  systemctl restart gateway")
NO_PORT: Final = Text("[http] listen is empty", "[http] listen để trống")
_BUILD: Final = re.compile(r"^gateway_build_info\{([^}]*)\}", re.MULTILINE)
_VERSION: Final = re.compile(r'\bversion="([^"]*)"')
_GENERATION: Final = re.compile(r"^gateway_policy_generation(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    status: int = 0
    text: str = ""
    failure: str = ""


async def page(world: World, path: str) -> Page:
    """A page of the health port, asked once."""
    return await world.once(("page", path), lambda: fetch(parse_listen(world.settings.http.listen), path))


async def fetch(address: Address, path: str) -> Page:
    """GET over HTTP/1.1, one request to a connection. Raises nothing."""
    try:
        async with asyncio.timeout(SECONDS), dialled(address) as (reader, writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            octets = await _whole(reader)
        head, _, body = octets.partition(b"\r\n\r\n")
        return Page(int(head.split(b" ", 2)[1]), body.decode("utf-8", "replace"))
    except TimeoutError:
        return Page(failure=f"no answer within {SECONDS:.0f} s")
    except (OSError, ValueError, IndexError) as failure:
        return Page(failure=words_of(failure) if isinstance(failure, OSError) else "no HTTP")


async def _whole(reader: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while (part := await reader.read(65536)) and size < PAGE_MAX:
        parts.append(part)
        size += len(part)
    return b"".join(parts)


async def _alive(world: World) -> Sequence[Outcome]:
    if not world.settings.http.listen:
        return [skipped(NO_PORT)]
    return [judge_alive(await page(world, "/livez"), world.service.pid)]


def judge_alive(found: Page, pid: int) -> Outcome:
    if found.status == 200:
        return ok(Text(f"process {pid}", f"tiến trình {pid}"), pid=pid)
    said = found.failure or f"{found.status} {found.text.strip()}"
    return error(same(said), RESTART, pid=pid, status=found.status)


async def _ready(world: World) -> Sequence[Outcome]:
    if not world.settings.http.listen:
        return [skipped(NO_PORT)]
    return [judge_ready(await page(world, "/readyz"))]


def judge_ready(found: Page) -> Outcome:
    """/readyz tells per check "ok" or why not."""
    if found.status == 200:
        return ok(same("200"), status=200)
    if not found.status:
        return error(same(found.failure), RESTART, status=0)
    try:
        told = json.loads(found.text)["checks"]
        reasons = {str(name): str(why) for name, why in told.items() if isinstance(why, str) and why not in ("ok", "")}
    except (ValueError, KeyError, TypeError, AttributeError):
        reasons = {}
    said = "; ".join(f"{name}: {why}" for name, why in reasons.items()) or found.text.strip()
    mend = Text(
        "Mend what it names; the other groups of this report tell more.",
        "Sửa phần được nêu; các nhóm khác của báo cáo này cho biết thêm.",
    )
    return error(same(f"{found.status} {said}"), mend, status=found.status, reasons=reasons)


async def _policies(world: World) -> Sequence[Outcome]:
    if not world.settings.http.listen:
        return [skipped(NO_PORT)]
    metrics = await page(world, "/metrics")
    match = _GENERATION.search(metrics.text)
    if match is None:
        return [
            skipped(Text("the gateway does not tell its generation", "cổng thư không cho biết số của bản chính sách"))
        ]
    number = int(float(match[1]))
    generations = Generations(world.settings.state / "policies")

    def differs() -> bool:
        files, _ = read_directory(world.settings.policies)
        return digest_of(generations.read(number)) != digest_of(files)

    try:
        return [judge_policies(number, differs=await in_thread(differs))]
    except OSError as failure:
        return [skipped(same(str(failure)))]


def judge_policies(number: int, *, differs: bool) -> Outcome:
    if differs:
        found = Text(
            f"generation {number} is in force, and the files say something else",
            f"bản chính sách số {number} đang có hiệu lực, khác với các tệp hiện tại",
        )
        mend = Text(
            "Mend the errors; then it follows by itself within a minute:\n  gateway check",
            "Sửa lỗi; cổng thư sẽ tự cập nhật trong một phút:\n  gateway check",
        )
        return warning(found, mend, generation=number)
    return ok(
        Text(f"generation {number}, as the files", f"bản chính sách số {number}, khớp với các tệp"), generation=number
    )


async def _version(world: World) -> Sequence[Outcome]:
    if not world.settings.http.listen:
        return [skipped(NO_PORT)]
    line = _BUILD.search((await page(world, "/metrics")).text)
    running = _VERSION.search(line[1]) if line else None
    if running is None:
        return [skipped(Text("the gateway does not tell its version", "cổng thư không cho biết phiên bản"))]
    try:
        return [judge_version(running[1], metadata.version(PROGRAM))]
    except metadata.PackageNotFoundError:
        return [skipped(Text("this program is not installed as a package", "chương trình không được cài thành gói"))]


def judge_version(running: str, installed: str) -> Outcome:
    if running != installed:
        found = Text(f"{running} runs, {installed} is installed", f"đang chạy {running}, đã cài {installed}")
        return warning(found, RESTART, running=running, installed=installed)
    return ok(same(running), running=running, installed=installed)


async def _restart(world: World) -> Sequence[Outcome]:
    def look() -> Outcome:
        begun = _begun(world.service.pid)
        package = Path(gateway.__file__).parent
        files = [Path(world.config), *(path for path in package.rglob("*.py"))]
        newer = [path for path in files if path.exists() and path.stat().st_mtime > begun]
        return judge_restart([str(path) for path in newer])

    try:
        return [await in_thread(look)]
    except (OSError, ValueError, IndexError) as failure:
        return [skipped(same(str(failure)))]


def _begun(pid: int) -> float:
    """When a process began, in seconds since 1970 (proc(5))."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK") + 1  # btime has whole seconds


def judge_restart(newer: Sequence[str]) -> Outcome:
    """`newer` are settings and program files that were changed since the gateway began."""
    if newer:
        more = f" (+{len(newer) - 1})" if len(newer) > 1 else ""
        found = Text(
            f"changed since it began: {newer[0]}{more}", f"đã thay đổi sau khi cổng thư khởi động: {newer[0]}{more}"
        )
        return warning(found, RESTART, files=len(newer), first=newer[0])
    return ok(Text("settings and program are those that run", "cấu hình và chương trình khớp với bản đang chạy"))


CHECKS = (
    Check(
        "running.alive",
        Text("Alive", "Đang hoạt động"),
        Text("A gateway that hangs takes no mail.", "Cổng thư bị treo thì không nhận thư."),
        _alive,
        ("running",),
    ),
    Check(
        "running.ready",
        Text("Ready", "Sẵn sàng"),
        Text(
            "Not ready: mail is deferred, or policies are older than the files.",
            "Chưa sẵn sàng: thư bị hoãn, hoặc chính sách cũ hơn các tệp.",
        ),
        _ready,
        ("running",),
    ),
    Check(
        "running.policies",
        Text("Policies in force", "Chính sách có hiệu lực"),
        Text("An edit that is not in force helps nobody.", "Sửa đổi chưa có hiệu lực thì không có tác dụng."),
        _policies,
        ("running",),
    ),
    Check(
        "running.version",
        Text("Version", "Phiên bản"),
        Text("An upgrade counts from the next start on.", "Bản nâng cấp có hiệu lực từ lần khởi động sau."),
        _version,
        ("running",),
    ),
    Check(
        "running.restart",
        Text("Restart needed", "Cần khởi động lại"),
        Text(
            "gateway.toml and a new version count from the next start on.",
            "gateway.toml và phiên bản mới chỉ có hiệu lực từ lần khởi động sau.",
        ),
        _restart,
        ("running",),
    ),
)
