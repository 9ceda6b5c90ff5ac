"""The database in the state folder, what lies beside it, and what waits in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.store_facts import integrity, read_facts
from gateway.doctor.world import World, in_thread
from gateway.store.schema import VERSION
from gateway.store.spill import UNREADABLE

_OPEN: Final = Text(
    "See what it is and who owns it:\n  gateway doctor --only store.folder",
    "Xem đó là gì và thuộc về ai:\n  gateway doctor --only store.folder",
)
RESTORE: Final = Text(
    "Stop the gateway and restore the last backup:\n  docs/how-to/en/backup.md",
    "Dừng cổng thư và khôi phục bản sao lưu gần nhất:\n  docs/how-to/vi/sao-luu.md",
)


_HIDDEN: Final = Text(
    "this user may not read the database: run as root",
    "người dùng này không được đọc cơ sở dữ liệu: hãy chạy bằng quyền root",
)
_BUSY: Final = Text("the database is locked just now: try again", "cơ sở dữ liệu đang bị khóa: hãy thử lại")


def judge_failure(failure: sqlite3.Error) -> Outcome:
    """Only damage wants a backup: who may not read the file, or comes at a bad moment, would throw good mail away."""
    code = getattr(failure, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH):
        return skipped(_HIDDEN) if os.geteuid() != 0 else error(same(str(failure)), _OPEN)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return skipped(_BUSY)
    return error(same(str(failure)), RESTORE)


async def _schema(world: World) -> Sequence[Outcome]:
    try:
        facts = await in_thread(lambda: read_facts(world.settings))
    except sqlite3.Error as failure:
        return [judge_failure(failure)]
    return [judge_schema(facts.version if facts else None)]


def judge_schema(version: int | None) -> Outcome:
    """`version` is None when there is no database yet."""
    if version is None:
        return ok(
            Text("no database yet; the first start makes it", "chưa có cơ sở dữ liệu; lần chạy đầu sẽ tạo"),
            version=0,
            known=VERSION,
        )
    if version > VERSION:
        found = Text(
            f"schema {version}, written by a newer gateway; this one knows {VERSION}",
            f"lược đồ {version}, do phiên bản cổng thư mới hơn ghi; phiên bản này chỉ biết {VERSION}",
        )
        mend = Text(
            "Install the newer version again, or restore the backup that was made before the upgrade.",
            "Cài lại phiên bản mới hơn, hoặc khôi phục bản sao lưu trước khi nâng cấp.",
        )
        return error(found, mend, version=version, known=VERSION)
    if version < VERSION:
        found = Text(
            f"schema {version}; the next start brings it to {VERSION}",
            f"lược đồ {version}; lần khởi động tới sẽ nâng lên {VERSION}",
        )
        return warning(
            found,
            Text("Back up, then restart the gateway.", "Sao lưu rồi khởi động lại cổng thư."),
            version=version,
            known=VERSION,
        )
    return ok(Text(f"schema {version}", f"lược đồ {version}"), version=version, known=VERSION)


async def _integrity(world: World) -> Sequence[Outcome]:
    try:
        said = await in_thread(lambda: integrity(world.settings))
    except sqlite3.Error as failure:
        return [judge_failure(failure)]
    return [judge_integrity(said)]


def judge_integrity(said: str) -> Outcome:
    if not said:
        return skipped(Text("too large for a quick look", "quá lớn để kiểm tra nhanh"))
    return ok(Text("whole", "nguyên vẹn")) if said == "ok" else error(same(said), RESTORE, said=said)


async def _spill(world: World) -> Sequence[Outcome]:
    def look() -> tuple[list[str], bool]:
        files = [path for path in sorted(world.settings.state.glob("spill-*.jsonl")) if path.stat().st_size]
        old = [path for path in files if world.now.timestamp() - path.stat().st_mtime > 300]
        return [path.name for path in old], any(path.name == UNREADABLE for path in files)

    names, unreadable = await in_thread(look)
    return [judge_spill(names, unreadable=unreadable, running=world.service.is_running)]


def judge_spill(names: Sequence[str], *, unreadable: bool, running: bool) -> Outcome:
    """`names` are spill files that nobody has brought in for five minutes."""
    if unreadable:
        found = Text(
            f"{UNREADABLE}: lines that no program can read", f"{UNREADABLE}: có dòng không chương trình nào đọc được"
        )
        mend = Text(
            "Each line is a message that was delivered and is not in the register: keep the file, and read it.",
            "Mỗi dòng là một thư đã chuyển nhưng chưa vào sổ đăng ký: giữ tệp lại và xem từng dòng.",
        )
        return error(found, mend, files=list(names))
    if not names:
        return ok(Text("nothing is left over", "không còn tồn đọng"))
    mend = (
        Text(
            "Look into the log for the database's fault:\n  journalctl -u gateway | grep housekeeping",
            "Xem lỗi cơ sở dữ liệu trong nhật ký:\n  journalctl -u gateway | grep housekeeping",
        )
        if running
        else Text("Start the gateway: it brings them in.", "Khởi động cổng thư: cổng thư sẽ tự nhập vào.")
    )
    return warning(same(", ".join(names)), mend, files=list(names))


async def _outbox(world: World) -> Sequence[Outcome]:
    try:
        facts = await in_thread(lambda: read_facts(world.settings))
    except sqlite3.Error:
        return [skipped(Text("the database cannot be read", "không đọc được cơ sở dữ liệu"))]
    if facts is None:
        return [ok(Text("empty", "trống"))]
    return [judge_outbox(facts.due, facts.oldest_due, facts.unknown, world.now)]


def judge_outbox(due: int, oldest: datetime | None, unknown: int, now: datetime) -> Outcome:
    hours = (now - oldest).total_seconds() / 3600 if oldest else 0.0
    found = Text(
        f"{due} waiting, the oldest for {max(hours, 0):.0f} h; {unknown} of unknown outcome",
        f"{due} thư đang chờ, lâu nhất {max(hours, 0):.0f} giờ; {unknown} thư không rõ kết quả",
    )
    values = {"due": due, "unknown": unknown, "oldest_hours": round(hours, 1)}
    if hours >= 1:
        mend = Text(
            "See why the route refuses:\n  gateway doctor --only routes",
            "Xem vì sao tuyến chuyển không nhận:\n  gateway doctor --only routes",
        )
        return (error if hours >= 24 else warning)(found, mend, **values)
    if unknown:
        mend = Text(
            "Ask at the receiving server whether they have arrived; the gateway does not send them again by itself.",
            "Hỏi máy chủ nhận xem thư đã tới chưa; cổng thư không tự gửi lại.",
        )
        return warning(found, mend, **values)
    return ok(found, **values)


async def _held(world: World) -> Sequence[Outcome]:
    try:
        facts = await in_thread(lambda: read_facts(world.settings))
    except sqlite3.Error:
        return [skipped(Text("the database cannot be read", "không đọc được cơ sở dữ liệu"))]
    return [judge_held(facts.held, facts.expiring) if facts else judge_held(0, 0)]


def judge_held(held: int, expiring: int) -> Outcome:
    found = Text(
        f"{held} held, {expiring} of them end within three days",
        f"{held} thư bị giữ, {expiring} thư hết hạn trong ba ngày tới",
    )
    if expiring:
        mend = Text(
            "A clerk should look before they are deleted:\n  gateway quarantine list",
            "Văn thư cần xem trước khi thư bị xóa:\n  gateway quarantine list",
        )
        return warning(found, mend, held=held, expiring=expiring)
    return ok(found, held=held, expiring=expiring)


_DATABASE = Text("Held mail and the register are in it.", "Thư bị giữ và sổ đăng ký nằm trong đó.")
CHECKS = (
    Check(
        "store.schema",
        Text("Version of the database", "Phiên bản cơ sở dữ liệu"),
        Text(
            "A program does not open what a newer one has written.", "Chương trình không mở dữ liệu do bản mới hơn ghi."
        ),
        _schema,
    ),
    Check(
        "store.integrity", Text("Integrity of the database", "Tính toàn vẹn dữ liệu"), _DATABASE, _integrity, ("store",)
    ),
    Check(
        "store.spill",
        Text("Records beside the database", "Bản ghi ngoài cơ sở dữ liệu"),
        Text(
            "Written while the database failed; the register lacks them until they are brought in.",
            "Ghi khi cơ sở dữ liệu gặp lỗi; sổ đăng ký thiếu các bản ghi này cho tới khi nhập lại.",
        ),
        _spill,
    ),
    Check(
        "store.outbox",
        Text("Outgoing queue", "Hàng đợi gửi đi"),
        Text(
            "Released mail and notices that do not leave are not seen by anybody.",
            "Thư đã cho đi và thông báo mà không gửi được thì không ai nhận thấy.",
        ),
        _outbox,
    ),
    Check(
        "store.held",
        Text("Held mail", "Thư bị giữ"),
        Text("Held mail is deleted at the end of its retention.", "Thư bị giữ sẽ bị xóa khi hết thời hạn lưu."),
        _held,
    ),
)
