"""The milter door, and the Postfix that asks it."""

from __future__ import annotations

import asyncio
import pwd
import shutil
import stat
import struct
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from gateway.doctor.check import Check
from gateway.doctor.dial import dialled
from gateway.doctor.files import ENTER, READ, WRITE, mode_text, permits
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.service import Service, group_name, groups_of, user_name
from gateway.doctor.talk import words_of
from gateway.doctor.world import World, in_thread
from gateway.endpoint.milter_protocol import VERSION, Command
from gateway.settings import Address, parse_listen

SECONDS: Final = 4.0
NAMES: Final = (
    "smtpd_milters",
    "milter_default_action",
    "milter_protocol",
    "message_size_limit",
    "queue_directory",
    "mail_owner",
)
SHIPPED: Final = Text("See deploy/postfix/main.cf.milter.", "Xem deploy/postfix/main.cf.milter.")


def doors(world: World) -> list[Address]:
    return [parse_listen(text) for text in world.settings.milter.listen if text]


async def _socket(world: World) -> Sequence[Outcome]:
    found = doors(world)
    answers = await asyncio.gather(*(negotiate(door) for door in found))
    settings = await world.once("postfix", postfix_settings)
    owner = settings.get("mail_owner", "")
    return [
        await in_thread(partial(judge_socket, door, answer, owner, running=world.service.is_running))
        for door, answer in zip(found, answers, strict=True)
    ]


async def negotiate(door: Address) -> str:
    """ "" when the door speaks the milter protocol, else what happened instead."""
    offer = struct.pack("!IcIII", 13, Command.OPTNEG.to_bytes(), VERSION, 0x1FF, 0x1FFFFF)
    try:
        async with asyncio.timeout(SECONDS), dialled(door) as (reader, writer):
            writer.write(offer)
            head = await reader.readexactly(5)
            writer.write(struct.pack("!Ic", 1, Command.QUIT.to_bytes()))
            await writer.drain()
    except TimeoutError:
        return f"no answer within {SECONDS:.0f} s"
    except EOFError:
        return "connection closed"
    except OSError as failure:
        return words_of(failure)
    return "" if head[4:] == Command.OPTNEG.to_bytes() else f"not a milter: {head!r}"


def judge_socket(door: Address, answer: str, owner: str, *, running: bool) -> Outcome:
    """The socket's rights (S-34) and whether it answers. `owner` is the user that Postfix runs as, "" without Postfix."""
    name, path = str(door), Path(door.path)
    if not running and answer:
        return skipped(Text("the gateway does not run", "cổng thư chưa chạy"), name)
    if not door.path:
        return (
            ok(Text("answers", "có trả lời"), name)
            if not answer
            else error(same(answer), Text("Look into the log.", "Xem nhật ký."), name)
        )
    try:
        status = path.stat()
    except OSError as failure:
        mend = Text("Restart the gateway: it makes the socket.", "Khởi động lại cổng thư: cổng thư sẽ tạo socket.")
        return error(same(f"{path}: {failure.strerror}"), mend, name)
    shown = f"{user_name(status.st_uid)}:{group_name(status.st_gid)} {mode_text(status)}"
    values = {"mode": mode_text(status), "group": group_name(status.st_gid)}
    if answer:
        return error(
            same(f"{shown}: {answer}"), Text("Restart the gateway.", "Khởi động lại cổng thư."), name, **values
        )
    if status.st_mode & stat.S_IRWXO:
        return error(
            Text(
                f"every user may speak as your mail server ({shown})",
                f"mọi người dùng có thể mạo danh máy chủ thư ({shown})",
            ),
            same(f"  chmod 0660 {path}"),
            name,
            **values,
        )
    if owner and not _reaches(path, owner):
        found = Text(f"user {owner} cannot open it ({shown})", f"người dùng {owner} không mở được ({shown})")
        return error(
            found,
            same(f"  install -d -o gateway -g {owner} -m 2750 {path.parent}\n  systemctl restart gateway"),
            name,
            **values,
        )
    return ok(same(shown), name, **values)


def _reaches(path: Path, user: str) -> bool:
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return True
    who = Service(0, uid, groups_of(uid))
    return all(permits(folder.stat(), who, ENTER) for folder in path.parents) and permits(
        path.stat(), who, READ | WRITE
    )


async def postfix_settings() -> dict[str, str]:
    """What postconf(1) says; empty without Postfix."""
    program = shutil.which("postconf", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        return {}
    process = await asyncio.create_subprocess_exec(
        program,
        *NAMES,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        return {}
    return parse_postconf(said.decode("utf-8", "replace"))


def parse_postconf(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines}


async def _postfix(world: World) -> Sequence[Outcome]:
    settings = await world.once("postfix", postfix_settings)
    if not settings:
        return [skipped(Text("Postfix is not installed here", "máy này không cài Postfix"))]
    return [judge_postfix(settings, doors(world), world.settings.milter.max_size)]


def judge_postfix(settings: Mapping[str, str], ours: Collection[Address], max_size: int) -> Outcome:
    """main.cf beside gateway.toml; every fault in one outcome, with its line."""
    wrong: list[str] = []
    if not any(_names(settings, door) for door in ours):
        wrong.append(f"  smtpd_milters = {_as_postfix(settings, next(iter(ours)))}")
    if settings.get("milter_default_action", "") not in ("tempfail", "shutdown"):  # accept lets mail pass unchecked
        wrong.append("  milter_default_action = tempfail")
    if settings.get("milter_protocol", "6") != str(VERSION):
        wrong.append(f"  milter_protocol = {VERSION}")
    size = settings.get("message_size_limit", "")
    if size.isdecimal() and (int(size) == 0 or int(size) > max_size):
        wrong.append(f"  message_size_limit = {max_size}")
    shown = same(", ".join(f"{name} = {settings.get(name, '')}" for name in NAMES[:4]))
    if wrong:
        lines = "\n".join(wrong)
        mend = Text(
            f"In /etc/postfix/main.cf, then postfix reload:\n{lines}\n{SHIPPED.en}",
            f"Trong /etc/postfix/main.cf, sau đó postfix reload:\n{lines}\n{SHIPPED.vi}",
        )
        serious = any("smtpd_milters" in line or "default_action" in line for line in wrong)
        return (error if serious else warning)(shown, mend, settings=dict(settings))
    return ok(shown, settings=dict(settings))


def _names(settings: Mapping[str, str], door: Address) -> bool:
    queue = settings.get("queue_directory", "/var/spool/postfix")
    for word in settings.get("smtpd_milters", "").replace(",", " ").split():
        kind, _, place = word.strip("{}").partition(":")
        if door.path and kind == "unix" and str(Path(queue) / place.lstrip("/")) == door.path:
            return True
        if door.path and kind == "unix" and place == door.path:
            return True
        if not door.path and kind == "inet" and place.endswith(f":{door.port}"):
            return True
    return False


def _as_postfix(settings: Mapping[str, str], door: Address) -> str:
    if not door.path:
        return f"inet:{door.host}:{door.port}"
    queue = Path(settings.get("queue_directory", "/var/spool/postfix"))
    path = Path(door.path)
    return f"unix:{path.relative_to(queue)}" if path.is_relative_to(queue) else f"unix:{path}"


CHECKS = (
    Check(
        "milter.socket",
        Text("Milter door", "Cửa milter"),
        Text(
            "The mail server asks here; whoever else can speaks in its name.",
            "Máy chủ thư hỏi cổng thư ở đây; ai mở được cửa này có thể mạo danh máy chủ thư.",
        ),
        _socket,
        ("milter",),
    ),
    Check(
        "milter.postfix",
        Text("Settings of Postfix", "Cấu hình của Postfix"),
        Text(
            "Wrong ones let mail pass unchecked, or refuse it, while the gateway is away.",
            "Đặt sai thì thư lọt qua không kiểm tra hoặc bị từ chối khi cổng thư vắng mặt.",
        ),
        _postfix,
        ("milter",),
    ),
)
