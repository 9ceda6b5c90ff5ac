"""The machine: user, limits, clock, time zones, Python and its libraries."""

from __future__ import annotations

import ctypes
import re
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.store_facts import newest_record
from gateway.doctor.world import World, in_thread

FILES: Final = 65_535  # open files (safety F-31, O-7)
BACKLOG: Final = 1024  # what the doors ask for
PROGRAM: Final = "mail-gateway"
PYTHON: Final = (3, 11)
_UNSYNCHRONISED: Final = 5  # TIME_ERROR (adjtimex(2))
_LIMIT: Final = re.compile(r"^Max open files\s+\S+\s+(\S+)", re.MULTILINE)
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)\s*(==|>=)\s*([0-9][0-9.]*)\s*\Z")


async def _user(world: World) -> Sequence[Outcome]:
    return [judge_user(world.service.uid, world.service.user, world.settings.state)]


def judge_user(uid: int, name: str, state: Path) -> Outcome:
    if uid:
        return ok(Text(f"the gateway runs as {name}", f"cổng thư chạy bằng người dùng {name}"), user=name)
    commands = (
        "  useradd --system --user-group --home-dir /var/lib/gateway \\\n"
        "    --shell /usr/sbin/nologin gateway\n"
        f"  chown -R gateway:gateway {state}"
    )
    mend = Text(
        f"Make a user for it, give it the state folder, and start the gateway as that user:\n{commands}",
        f"Tạo người dùng riêng, giao thư mục trạng thái và chạy cổng thư bằng người dùng đó:\n{commands}",
    )
    return warning(
        Text(
            "the gateway runs as root, or root owns its state folder",
            "cổng thư chạy bằng root hoặc root sở hữu thư mục trạng thái",
        ),
        mend,
        user=name,
    )


async def _files(world: World) -> Sequence[Outcome]:
    return [judge_files(_open_files(world.service.pid), running=world.service.is_running)]


def _open_files(pid: int) -> int:
    """The hard limit, up to which the gateway raises its own; -1: none."""
    if pid and (match := _LIMIT.search(Path(f"/proc/{pid}/limits").read_text())):
        return -1 if match[1] == "unlimited" else int(match[1])
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def judge_files(limit: int, *, running: bool) -> Outcome:
    of = (
        Text("of the running gateway", "của cổng thư đang chạy")
        if running
        else Text("of this shell", "của phiên lệnh này")
    )
    shown = str(limit) if limit >= 0 else "unlimited"
    found = Text(f"{shown} ({of.en})", f"{shown} ({of.vi})")
    if 0 <= limit < FILES:
        line = f"  LimitNOFILE={FILES}"
        return warning(
            found,
            Text(
                f"In the service's unit, under [Service]:\n{line}",
                f"Trong tệp unit của dịch vụ, mục [Service]:\n{line}",
            ),
            limit=limit,
        )
    return ok(found, limit=limit)


async def _backlog(world: World) -> Sequence[Outcome]:
    try:
        return [judge_backlog(await in_thread(lambda: int(Path("/proc/sys/net/core/somaxconn").read_text())))]
    except (OSError, ValueError):
        return [skipped(Text("net.core.somaxconn cannot be read", "không đọc được net.core.somaxconn"))]


def judge_backlog(limit: int) -> Outcome:
    if limit < BACKLOG:
        mend = same(
            f"  sysctl -w net.core.somaxconn={BACKLOG}\n  echo net.core.somaxconn={BACKLOG} > /etc/sysctl.d/60-gateway.conf"
        )
        return warning(same(f"net.core.somaxconn = {limit}"), mend, somaxconn=limit)
    return ok(same(f"net.core.somaxconn = {limit}"), somaxconn=limit)


async def _clock(world: World) -> Sequence[Outcome]:
    newest = await in_thread(lambda: newest_record(world.settings))
    return [judge_clock(world.now, await in_thread(_built), newest, _synchronised())]


def _built() -> datetime:
    """When this program was installed."""
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


def _synchronised() -> bool | None:
    """Whether the kernel says that something keeps its clock right; None when it does not say."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))  # modes=0: only reads
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def judge_clock(now: datetime, built: datetime, newest: datetime | None, synchronised: bool | None) -> Outcome:
    """The clock beside what it cannot lie before: this program's files, and the newest message of the register."""
    shown = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    mend = Text(
        "Set the clock, and have it kept right:\n  apt install chrony",
        "Chỉnh đồng hồ và cài dịch vụ giữ giờ:\n  apt install chrony",
    )
    for what, vi, moment in (
        ("this program", "chương trình", built),
        ("the newest record", "bản ghi mới nhất", newest),
    ):
        if moment and moment > now + timedelta(minutes=5):
            then = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
            found = Text(f"{shown}, but {what} is of {then}", f"{shown}, trong khi {vi} có từ {then}")
            return error(found, mend, now=now.isoformat(), synchronised=synchronised)
    if synchronised is False:
        found = Text(f"{shown}; nothing keeps the clock right", f"{shown}; đồng hồ không được đồng bộ")
        return warning(found, mend, now=now.isoformat(), synchronised=False)
    state = (
        Text("kept right", "được đồng bộ")
        if synchronised
        else Text("not known whether it is kept right", "không rõ có được đồng bộ hay không")
    )
    return ok(Text(f"{shown}, {state.en}", f"{shown}, {state.vi}"), now=now.isoformat(), synchronised=synchronised)


async def _zones(world: World) -> Sequence[Outcome]:
    names = {world.settings.timezone} | ({str(world.policy.timezone)} if world.rules else set())
    return [judge_zone(name) for name in sorted(names)]


def judge_zone(name: str) -> Outcome:
    """Whether data of this zone is there and holds."""
    try:
        offset = datetime.now(ZoneInfo(name)).strftime("%z")
    except (KeyError, ValueError, OSError):
        return error(Text("no data of this zone", "không có dữ liệu múi giờ này"), same("  apt install tzdata"), name)
    return ok(same(f"UTC{offset[:3]}:{offset[3:]}"), name)


async def _python(world: World) -> Sequence[Outcome]:
    try:
        wanted = metadata.requires(PROGRAM) or []
    except metadata.PackageNotFoundError:
        wanted = []
    return [judge_python(sys.version_info[:3], wanted, installed(wanted))]


def installed(requirements: Iterable[str]) -> dict[str, str]:
    """Installed versions by name, of those packages that are there."""
    found = {}
    for text in requirements:
        if match := _REQUIREMENT.match(text):
            try:
                found[match[1]] = metadata.version(match[1])
            except metadata.PackageNotFoundError:
                continue
    return found


def judge_python(version: Sequence[int], requirements: Sequence[str], there: Mapping[str, str]) -> Outcome:
    """Python and libraries beside what the program was made and tested with."""
    shown = ".".join(map(str, version))
    if tuple(version[:2]) < PYTHON:
        return error(
            same(f"Python {shown}"),
            Text("Install Python 3.11 or newer.", "Cài Python 3.11 trở lên."),
            python=shown,
        )
    wrong = []
    for text in requirements:
        if match := _REQUIREMENT.match(text):
            name, relation, wanted = match.groups()
            has = there.get(name, "")
            if not has or (has != wanted if relation == "==" else _number(has) < _number(wanted)):
                wrong.append(f"{name} {has or '-'} ({relation}{wanted})")
    if wrong:
        command = f"  {sys.executable} -m pip install --require-hashes \\\n    -r requirements/run.txt"
        mend = Text(
            f"Install the libraries that the program was tested with:\n{command}",
            f"Cài đúng các thư viện đã được kiểm thử:\n{command}",
        )
        return error(same("\n".join(wrong)), mend, python=shown, wrong=wrong)
    found = Text(
        f"Python {shown}, {len(there)} libraries as wanted", f"Python {shown}, {len(there)} thư viện đúng yêu cầu"
    )
    return ok(found, python=shown, libraries=dict(there))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])


CHECKS = (
    Check(
        "host.user",
        Text("User of the service", "Người dùng của dịch vụ"),
        Text(
            "A fault in code that reads strangers' mail must not give them the machine.",
            "Lỗi trong phần mềm đọc thư lạ không được dẫn đến mất quyền kiểm soát máy chủ.",
        ),
        _user,
    ),
    Check(
        "host.files",
        Text("Limit of open files", "Giới hạn số tệp được mở"),
        Text(
            "Each session needs up to four; without them new clients are turned away.",
            "Mỗi phiên cần tới bốn tệp; thiếu thì máy gửi bị từ chối.",
        ),
        _files,
    ),
    Check(
        "host.backlog",
        Text("Waiting connections", "Hàng đợi kết nối"),
        Text(
            "While the gateway is busy or restarts, new connections wait in the kernel.",
            "Khi cổng thư bận hoặc khởi động lại, kết nối mới chờ trong nhân hệ điều hành.",
        ),
        _backlog,
    ),
    Check(
        "host.clock",
        Text("Clock", "Đồng hồ"),
        Text(
            "Signatures expire, rollout days begin and retention ends by it.",
            "Hạn chữ ký, ngày thí điểm và thời hạn lưu đều tính theo đồng hồ.",
        ),
        _clock,
    ),
    Check(
        "host.timezone",
        Text("Time zones", "Múi giờ"),
        Text(
            "Rollout days begin at local midnight; notices tell local time.",
            "Ngày thí điểm bắt đầu lúc nửa đêm giờ địa phương; thông báo ghi giờ địa phương.",
        ),
        _zones,
    ),
    Check(
        "host.python",
        Text("Python and libraries", "Python và thư viện"),
        Text("Only these versions have been tested.", "Chỉ các phiên bản này đã được kiểm thử."),
        _python,
    ),
)
