"""Policies: their content, and who may touch the folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.doctor.check import Check
from gateway.doctor.files import ENTER, READ, WRITE, may
from gateway.doctor.finding import Outcome, Text, error, ok, warning
from gateway.doctor.service import Service, group_name
from gateway.doctor.world import World, in_thread

SHOWN: Final = 3  # lines of problems; `gateway check` has all


async def _policies(world: World) -> Sequence[Outcome]:
    lines = {language: [problem.text(language) for problem in world.problems] for language in ("en", "vi")}
    rules, units = (len(world.rules.rules), len(world.rules.grounds.registry.units)) if world.rules else (0, 0)
    return [judge_policies(lines["en"], lines["vi"], rules, units, usable=world.rules is not None)]


def judge_policies(en: Sequence[str], vi: Sequence[str], rules: int, units: int, *, usable: bool) -> Outcome:
    """Problems in both languages; the first few are shown."""
    if not en:
        found = Text(f"{rules} rules, {units} units", f"{rules} quy tắc, {units} đơn vị")
        return ok(found, rules=rules, units=units)
    mend = Text(
        "Mend each line that this names:\n  gateway check", "Sửa từng dòng mà lệnh sau nêu ra:\n  gateway check"
    )
    more = len(en) - SHOWN
    found = Text(
        "\n".join([*en[:SHOWN], *([f"and {more} more"] if more > 0 else [])]),
        "\n".join([*vi[:SHOWN], *([f"và {more} vấn đề khác"] if more > 0 else [])]),
    )
    return (warning if usable else error)(found, mend, problems=list(en))


async def _folder(world: World) -> Sequence[Outcome]:
    folder, who = world.settings.policies, world.service
    if not await in_thread(folder.exists):
        return [judge_no_folder(folder)]
    unreadable, writable = await in_thread(lambda: rights(folder, who))
    return [judge_folder(folder, who, unreadable, writable)]


def judge_no_folder(folder: Path) -> Outcome:
    mend = Text(
        "Put the policies there, or name their folder in gateway.toml:\n"
        '  policies = "/etc/gateway/policies"\nthen see what is in force:\n  gateway check',
        "Đặt các tệp chính sách vào đó, hoặc khai báo đúng thư mục trong gateway.toml:\n"
        '  policies = "/etc/gateway/policies"\nrồi kiểm tra:\n  gateway check',
    )
    return error(Text(f"{folder} is not there", f"chưa có {folder}"), mend, folder=str(folder))


def rights(folder: Path, who: Service) -> tuple[list[str], list[str]]:
    """Files and folders below that this user cannot read, and those that it could change."""
    paths = [folder]
    for place, folders, files in os.walk(folder):
        paths += [Path(place) / name for name in (*folders, *files) if not name.startswith(".")]
    unreadable = [path for path in paths if not may(path, who, READ | ENTER if path.is_dir() else READ)]
    writable = [path for path in paths if may(path, who, WRITE)]
    return [str(path) for path in unreadable], [str(path) for path in writable]


def judge_folder(folder: Path, who: Service, unreadable: Sequence[str], writable: Sequence[str]) -> Outcome:
    group = group_name(who.gid)
    command = f"  chown -R root:{group} {folder}\n  chmod -R u=rwX,g=rX,o= {folder}"
    mend = Text(f"Run as root:\n{command}", f"Chạy với quyền root:\n{command}")
    if unreadable:
        found = Text(
            f"user {who.user} cannot read {unreadable[0]}", f"người dùng {who.user} không đọc được {unreadable[0]}"
        )
        return error(found, mend, user=who.user, unreadable=list(unreadable))
    if writable and who.uid != 0:  # root is told by host.user
        found = Text(f"user {who.user} can change {writable[0]}", f"người dùng {who.user} sửa được {writable[0]}")
        return warning(found, mend, user=who.user, writable=list(writable))
    found = Text(f"{folder}: user {who.user} can read it", f"{folder}: người dùng {who.user} đọc được")
    return ok(found, user=who.user)


CHECKS = (
    Check(
        "policies.files",
        Text("Files of policies", "Các tệp chính sách"),
        Text(
            "While policies have an error the ones before stay in force, and a first start is refused.",
            "Khi chính sách có lỗi, cổng thư giữ chính sách cũ; nếu là lần đầu thì cổng thư không khởi động.",
        ),
        _policies,
    ),
    Check(
        "policies.folder",
        Text("Rights on the folder", "Quyền trên thư mục"),
        Text(
            "The service must read its policies; a broken-in service must not be able to change them.",
            "Dịch vụ phải đọc được chính sách, nhưng nếu bị xâm nhập thì cũng không được sửa được chúng.",
        ),
        _folder,
    ),
)
