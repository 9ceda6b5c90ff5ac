"""Run the checks, all at once, each within its time; what a check lacks is told instead of guessed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from gateway import maillog
from gateway.doctor import (
    of_database,
    of_dns,
    of_domains,
    of_doors,
    of_host,
    of_milter,
    of_notice,
    of_offers,
    of_policies,
    of_routes,
    of_running,
    of_settings,
    of_store,
    of_tls,
)
from gateway.doctor.check import Check, Finding, Need
from gateway.doctor.finding import Outcome, Text, error, skipped, told
from gateway.doctor.world import World, in_thread, see
from gateway.settings import Settings, SettingsError, load_settings
from gateway.store.migrate import CannotStart
from gateway.store.sqlite import database_of

SECONDS: Final = 12.0  # for one check
CHECKS: Final[tuple[Check, ...]] = (
    *of_settings.CHECKS,
    *of_policies.CHECKS,
    *of_host.CHECKS,
    *of_dns.CHECKS,
    *of_domains.CHECKS,
    *of_notice.CHECKS,
    *of_doors.CHECKS,
    *of_tls.CHECKS,
    *of_milter.CHECKS,
    *of_routes.CHECKS,
    *of_offers.CHECKS,
    *of_store.CHECKS,
    *of_database.CHECKS,
    *of_running.CHECKS,
)
GROUPS: Final = tuple(dict.fromkeys(check.group for check in CHECKS))

_LACKING: Final[dict[Need, Text]] = {
    "policy": Text("the policies have errors (policies.files)", "chính sách có lỗi (policies.files)"),
    "dns": Text("no name server answers (dns.servers)", "không máy chủ DNS nào trả lời (dns.servers)"),
    "smtp": Text("there is no SMTP door", "không có cửa SMTP"),
    "milter": Text("there is no milter door", "không có cửa milter"),
    "store": Text("there is no database yet", "chưa có cơ sở dữ liệu"),
    "running": Text("the gateway does not run", "cổng thư chưa chạy"),
}
_NO_SETTINGS: Final = Text("the settings cannot be read (settings.file)", "không đọc được cấu hình (settings.file)")
_BROKE: Final = Text(
    "Please report this with the output of:\n  gateway doctor --json",
    "Vui lòng báo lỗi kèm kết quả của lệnh:\n  gateway doctor --json",
)


def chosen(words: Collection[str]) -> tuple[Check, ...]:
    """The checks of these groups and ids; all for none. Raises ValueError with the word that is neither."""
    known = {*GROUPS, *(check.id for check in CHECKS)}
    if unknown := [word for word in words if word not in known]:
        raise ValueError(unknown[0])
    return tuple(check for check in CHECKS if not words or check.group in words or check.id in words)


def examine(config: Path | None, checks: Sequence[Check]) -> list[Finding]:
    """Look at everything; findings in the order of the checks. Blocks up to some fifteen seconds, changes nothing."""
    maillog.write_to(None)  # a report is not a service: the parts that we borrow would log on standard error
    try:
        settings = load_settings(config, os.environ)
    except SettingsError as failure:
        return [Finding(check, _without_settings(check, failure.problems)) for check in checks]
    return asyncio.run(_examined(config, settings, checks))


def _without_settings(check: Check, problems: Sequence[str]) -> Outcome:
    if check.id != "settings.file":
        return skipped(_NO_SETTINGS)
    mend = Text("Correct these lines, then run:\n  gateway check", "Sửa các dòng trên rồi chạy:\n  gateway check")
    return error(told(problems), mend, problems=list(map(str, problems)))


async def _examined(config: Path | None, settings: Settings, checks: Sequence[Check]) -> list[Finding]:
    world = await see(config, settings)
    try:
        found = await asyncio.gather(*(outcomes_of(check, world) for check in checks))
    finally:
        await world.close()
    return [Finding(check, outcome) for check, outcomes in zip(checks, found, strict=True) for outcome in outcomes]


async def outcomes_of(check: Check, world: World) -> Sequence[Outcome]:
    """Every check says something, also one that breaks: a doctor who faints helps nobody."""
    try:
        async with asyncio.timeout(SECONDS):
            for need in check.needs:
                if not await _has(world, need):
                    return [skipped(_LACKING[need])]
            return await check.look(world)
    except TimeoutError:
        seconds = f"{SECONDS:.0f}"
        return [error(Text(f"no outcome within {seconds} s", f"không có kết quả sau {seconds} giây"), _BROKE)]
    except PermissionError as failure:  # of whoever asks, not of the service
        name = failure.filename or failure
        return [
            skipped(
                Text(
                    f"this user may not read {name}: run as root",
                    f"người dùng này không đọc được {name}: hãy chạy bằng quyền root",
                )
            )
        ]
    except Exception as failure:
        return [error(Text(f"the check broke: {failure!r}", f"mục kiểm tra gặp lỗi: {failure!r}"), _BROKE)]


async def _has(world: World, need: Need) -> bool:
    match need:
        case "policy":
            return world.rules is not None
        case "dns":
            return bool(world.servers) and await world.has_dns()
        case "smtp":
            return any(world.settings.smtp.listen)
        case "milter":
            return any(world.settings.milter.listen)
        case "store":
            return await in_thread(lambda: _has_database(world.settings))
        case "running":
            return world.service.is_running


def _has_database(settings: Settings) -> bool:
    try:
        return database_of(settings).exists()
    except CannotStart:
        return False
