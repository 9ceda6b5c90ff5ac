"""The SMTP door and the health port: reachable, ours, and no open relay."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

from gateway.doctor.check import Check
from gateway.doctor.dial import reached
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.listening import listening
from gateway.doctor.talk import Talk, converse
from gateway.doctor.world import World, in_thread
from gateway.settings import Address, Settings, parse_listen

FOREIGN: Final = "gateway-doctor@example.com"  # nobody's mailbox (RFC 2606)
_OPEN: Final = '  [smtp]\n  listen = ["0.0.0.0:25", "[::]:25"]'
NOT_RUNNING: Final = Text("the gateway does not run", "cổng thư chưa chạy")


def doors(world: World) -> list[Address]:
    """Where the SMTP door is: as the settings say, or where systemd listens for the gateway that runs."""
    return doors_of(world.settings, listening(world.service.pid) if world.service.is_running else ())


def doors_of(settings: Settings, held: Sequence[Address]) -> list[Address]:
    """`held`: where the running gateway listens, none when that is not known."""
    told = [parse_listen(text) for text in settings.smtp.listen if text]
    if any(_port_of(door) in map(_port_of, held) for door in told):
        return told
    others = [parse_listen(text) for text in (*settings.milter.listen, settings.http.listen) if text]
    passed = [address for address in held if _port_of(address) not in map(_port_of, others)]
    return passed or told


def _port_of(address: Address) -> int | str:
    return address.port or address.path


async def talk_to(world: World, door: Address) -> Talk:
    """One conversation for each door, which all checks look at."""

    async def talk() -> Talk:
        recipients = (FOREIGN, *(f"postmaster@{domain}" for domain in world.own_domains[:1])) if world.rules else ()
        address = reached(door)
        return await converse(address, "localhost", recipients, proxy=_wants_proxy(world.settings, address))

    return await world.once(("door", door), talk)


def _wants_proxy(settings: Settings, door: Address) -> bool:
    """A connection to one of our own addresses comes from that address."""
    try:
        own = ip_address("127.0.0.1" if door.path or door.host == "localhost" else door.host)
    except ValueError:
        return False
    return any(own in network for network in settings.smtp.proxy_from)


async def _listen(world: World) -> Sequence[Outcome]:
    found = doors(world)
    talks = await asyncio.gather(*(talk_to(world, door) for door in found))
    blocked = [await in_thread(partial(cannot_bind, door)) for door in found]
    return [
        judge_listen(door, talk, world.settings.hostname, why, running=world.service.is_running)
        for door, talk, why in zip(found, talks, blocked, strict=True)
    ]


def cannot_bind(address: Address) -> str:
    """Why this address cannot be taken, "" when it can or when only root could; nothing listens meanwhile."""
    if address.path:
        return ""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, where = found[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as failure:
        return "" if failure.errno == errno.EACCES else (failure.strerror or str(failure))
    return ""


def judge_listen(door: Address, talk: Talk, hostname: str, blocked: str, *, running: bool) -> Outcome:
    """Whether the address is ours, free, or another's."""
    name = str(door)
    who = same(f"  ss -ltnp 'sport = :{door.port}'" if door.port else f"  ss -lxp | grep {door.path}")
    if hostname.lower() in talk.greeting.lower().split():
        return ok(Text("our gateway answers", "cổng thư đang trả lời"), name, greeting=talk.greeting)
    if talk.greeting:
        found = Text(f"another server answers: {talk.greeting}", f"một máy chủ khác trả lời: {talk.greeting}")
        return error(found, who, name, greeting=talk.greeting)
    if running:
        return error(
            Text(
                f"the gateway runs, and this does not answer: {talk.failure}",
                f"cổng thư đang chạy nhưng không trả lời: {talk.failure}",
            ),
            who,
            name,
            failure=talk.failure,
        )
    if blocked:
        mend = Text(
            f"Write an address of this server, or stop what has it:\n{who.en}",
            f"Ghi địa chỉ của máy chủ này, hoặc dừng chương trình đang dùng:\n{who.vi}",
        )
        return error(same(blocked), mend, name, failure=blocked)
    return ok(Text("free", "còn trống"), name)


async def _public(world: World) -> Sequence[Outcome]:
    smtp = world.settings.smtp
    return [judge_public(doors(world), behind=bool(smtp.proxy_from or smtp.xclient_from))]


def judge_public(found: Sequence[Address], *, behind: bool) -> Outcome:
    """Whether other servers can reach a door; `behind` another server of our own, they need not."""
    shown = same(", ".join(map(str, found)))
    if behind or any(door.port == 25 and not _is_local(door) for door in found):
        return ok(shown)
    mend = Text(
        f"In gateway.toml, unless a proxy or mail server on this host stands before the gateway:\n{_OPEN}",
        f"Trong gateway.toml, trừ khi có proxy hoặc máy chủ thư trên máy này đứng trước cổng thư:\n{_OPEN}",
    )
    return warning(shown, mend, listen=[str(door) for door in found])


def _is_local(door: Address) -> bool:
    if door.path or door.host == "localhost":
        return True
    try:
        return ip_address(door.host).is_loopback
    except ValueError:
        return False


async def _greeting(world: World) -> Sequence[Outcome]:
    found = doors(world)
    talks = await asyncio.gather(*(talk_to(world, door) for door in found))
    offered = bool(world.settings.smtp.certificate)
    return [
        judge_greeting(door, talk, offered, world.settings.smtp.max_size)
        for door, talk in zip(found, talks, strict=True)
    ]


def judge_greeting(door: Address, talk: Talk, has_certificate: bool, max_size: int) -> Outcome:
    if not talk.greeting:
        return skipped(NOT_RUNNING, str(door))
    restart = same("  systemctl restart gateway")
    values = {"greeting": talk.greeting, "extensions": talk.extensions}
    if not talk.greeting.startswith("220") or not talk.hello.startswith("250"):
        said = talk.hello or talk.greeting if talk.greeting.startswith("220") else talk.greeting
        return error(
            same(talk.failure or said),
            Text("Look into the log:\n  journalctl -u gateway", "Xem nhật ký:\n  journalctl -u gateway"),
            str(door),
            **values,
        )
    if has_certificate and "STARTTLS" not in talk.extensions:
        return error(Text("STARTTLS is not offered", "không có STARTTLS"), restart, str(door), **values)
    size = talk.extensions.get("SIZE", "")
    if size.isdecimal() and int(size) > max_size:
        return warning(
            Text(f"SIZE {size} is not that of the settings", f"SIZE {size} khác với cấu hình"),
            restart,
            str(door),
            **values,
        )
    return ok(same(" ".join(sorted(talk.extensions))), str(door), **values)


async def _relay(world: World) -> Sequence[Outcome]:
    found = doors(world)
    talks = await asyncio.gather(*(talk_to(world, door) for door in found))
    return [judge_relay(door, talk, world.settings.hostname) for door, talk in zip(found, talks, strict=True)]


def judge_relay(door: Address, talk: Talk, hostname: str) -> Outcome:
    """The reply to a recipient of somebody else's domain."""
    if not talk.greeting:
        return skipped(NOT_RUNNING, str(door))
    reply = talk.recipients.get(FOREIGN, "")
    if reply.startswith("2"):
        mend = Text(
            f"Close port {door.port} to strangers until it refuses, and see which server this is: ours says {hostname}.",
            f"Chặn cổng (port) {door.port} với bên ngoài cho tới khi bị từ chối; xem đây là máy nào: cổng thư tên {hostname}.",
        )
        return error(
            Text(f"mail for {FOREIGN} is taken: {reply}", f"thư gửi {FOREIGN} được nhận: {reply}"),
            mend,
            str(door),
            reply=reply,
        )
    if reply.startswith("5"):
        return ok(same(reply), str(door), reply=reply)
    return warning(
        Text(f"not known: {reply or talk.failure or talk.mail}", f"chưa rõ: {reply or talk.failure or talk.mail}"),
        Text("Run this again when the other checks are well.", "Chạy lại khi các mục khác đã ổn."),
        str(door),
        reply=reply,
    )


async def _recipient(world: World) -> Sequence[Outcome]:
    if not world.own_domains:
        return [skipped(Text("own_domains has patterns only", "own_domains chỉ có mẫu"))]
    mailbox = f"postmaster@{world.own_domains[0]}"
    found = doors(world)
    talks = await asyncio.gather(*(talk_to(world, door) for door in found))
    return [judge_recipient(door, talk, mailbox) for door, talk in zip(found, talks, strict=True)]


def judge_recipient(door: Address, talk: Talk, mailbox: str) -> Outcome:
    """The reply to a recipient of ours, which comes from the receiving server behind us."""
    if not talk.greeting:
        return skipped(NOT_RUNNING, str(door))
    reply = talk.recipients.get(mailbox, "")
    if reply.startswith("2"):
        return ok(same(f"{mailbox}: {reply}"), str(door), reply=reply)
    mend = Text(
        "See what is behind it:\n  gateway doctor --only routes,running",
        "Xem phần phía sau:\n  gateway doctor --only routes,running",
    )
    return error(same(f"{mailbox}: {reply or talk.failure or talk.mail}"), mend, str(door), reply=reply)


CHECKS = (
    Check(
        "doors.listen",
        Text("Listening addresses", "Địa chỉ lắng nghe"),
        Text(
            "The gateway does not start on an address that another program has.",
            "Cổng thư không khởi động được nếu địa chỉ đã có chương trình khác dùng.",
        ),
        _listen,
        ("smtp",),
    ),
    Check(
        "doors.public",
        Text("Port 25 for other servers", "Cổng (port) 25 cho máy chủ khác"),
        Text(
            "Other servers deliver to port 25 of a public address only.",
            "Máy chủ khác chỉ gửi tới cổng (port) 25 của địa chỉ công khai.",
        ),
        _public,
        ("smtp",),
    ),
    Check(
        "doors.greeting",
        Text("Greeting and extensions", "Lời chào và phần mở rộng"),
        Text("What is offered here is what senders use.", "Máy gửi chỉ dùng những gì được chào ở đây."),
        _greeting,
        ("smtp",),
    ),
    Check(
        "doors.relay",
        Text("No open relay", "Không chuyển tiếp mở"),
        Text(
            "A server that passes on anybody's mail is on every block list in a day.",
            "Máy chủ chuyển thư cho bất kỳ ai sẽ vào danh sách chặn trong một ngày.",
        ),
        _relay,
        ("policy", "smtp"),
    ),
    Check(
        "doors.recipient",
        Text("Mail for us is taken", "Nhận thư của ta"),
        Text(
            "A banner may be well while every recipient is refused.",
            "Lời chào có thể bình thường trong khi mọi người nhận bị từ chối.",
        ),
        _recipient,
        ("policy", "smtp"),
    ),
)
