"""The servers behind the gateway, as far as a conversation without mail can tell."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from gateway.doctor.check import Check
from gateway.doctor.files import ENTER, WRITE, may
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.of_doors import doors
from gateway.doctor.service import Service
from gateway.doctor.talk import Talk, converse
from gateway.doctor.world import World, in_thread
from gateway.policy.route import Route
from gateway.relay.handshake import UNIX
from gateway.settings import Address

NO_TALK = Text("see routes.connect", "xem routes.connect")


def servers(world: World) -> list[Route]:
    """Routes that lead to a server."""
    return [route for route in world.policy.routes.values() if route.protocol != "maildir"]


def address_of(route: Route) -> Address:
    return (
        Address(path=route.host.removeprefix(UNIX)) if route.host.startswith(UNIX) else Address(route.host, route.port)
    )


async def talk_to(world: World, route: Route) -> Talk:
    async def talk() -> Talk:
        recipients = tuple(f"postmaster@{domain}" for domain in world.own_domains[:1])
        return await converse(address_of(route), world.settings.hostname, recipients, lmtp=route.protocol == "lmtp")

    return await world.once(("route", route.name), talk)


async def talks(world: World) -> list[tuple[Route, Talk]]:
    """Each with what its server said."""
    routes = servers(world)
    return list(zip(routes, await asyncio.gather(*(talk_to(world, route) for route in routes)), strict=True))


async def _connect(world: World) -> Sequence[Outcome]:
    found = [judge_connect(route, talk) for route, talk in await talks(world)]
    folders = [route for route in world.policy.routes.values() if route.protocol == "maildir"]
    state, who = world.settings.state, world.service
    return [*found, *[await in_thread(partial(judge_maildir, route, state, who)) for route in folders]]


def judge_connect(route: Route, talk: Talk) -> Outcome:
    address = address_of(route)
    if talk.greeting.startswith("220") and talk.hello.startswith("250"):
        return ok(same(f"{address}: {talk.greeting}"), route.name, greeting=talk.greeting)
    said = (talk.hello if talk.greeting.startswith("220") else talk.greeting) or talk.failure
    line = f"  {route.name}: {{ host: {route.host}, port: {route.port} }}"
    mend = Text(
        f"Start the server, or correct the route in policies/policy.yaml:\n{line}",
        f"Khởi động máy chủ, hoặc sửa tuyến trong policies/policy.yaml:\n{line}",
    )
    return error(same(f"{address}: {said}"), mend, route.name, failure=said)


def judge_maildir(route: Route, state: Path, who: Service) -> Outcome:
    """The folder, or the nearest above it that is there, takes what this user writes."""
    folder = state / route.path
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if may(there, who, WRITE | ENTER):
        return ok(same(str(folder)), route.name)
    found = Text(f"user {who.user} cannot write to {there}", f"người dùng {who.user} không ghi được vào {there}")
    return error(found, same(f"  chown -R {who.user}: {there}"), route.name)


async def _loop(world: World) -> Sequence[Outcome]:
    ours = doors(world)
    found = []
    for route, talk in await talks(world):
        places = await in_thread(partial(_places, address_of(route)))
        found.append(
            judge_loop(route, talk, world.settings.hostname, places & await in_thread(lambda: _all_places(ours)))
        )
    return found


def _all_places(addresses: Collection[Address]) -> set[str]:
    return set().union(*(_places(address) for address in addresses)) if addresses else set()


def _places(address: Address) -> set[str]:
    """Numeric addresses with the port; of one that listens everywhere those of the loopback too."""
    if address.path:
        return {address.path}
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    hosts = {str(entry[4][0]) for entry in found}
    if hosts & {"0.0.0.0", "::"}:  # noqa: S104
        hosts |= {"127.0.0.1", "::1"}
    return {f"{host} {address.port}" for host in hosts}


def judge_loop(route: Route, talk: Talk, hostname: str, shared: Collection[str]) -> Outcome:
    """`shared` are addresses that are the route's and our door's."""
    words = talk.greeting.lower().split()
    if shared:
        found = Text(
            f"{', '.join(sorted(shared))} is our own door", f"{', '.join(sorted(shared))} là cửa của chính cổng thư"
        )
    elif len(words) > 1 and words[1] == hostname.lower():
        found = Text(
            f"it greets with our own name: {talk.greeting}",
            f"máy chủ chào bằng chính tên của cổng thư: {talk.greeting}",
        )
    else:
        return (
            ok(Text("another server", "là máy chủ khác"), route.name) if talk.greeting else skipped(NO_TALK, route.name)
        )
    mend = Text(
        "Let the route lead to the receiving server, or give one of the two another name (hostname in gateway.toml).",
        "Cho tuyến trỏ tới máy chủ nhận, hoặc đặt tên khác cho một trong hai (hostname trong gateway.toml).",
    )
    # behind a milter the mail server bears our name by right: only a door of ours makes a loop certain
    return (error if shared else warning)(found, mend, route.name, greeting=talk.greeting)


async def _recipient(world: World) -> Sequence[Outcome]:
    return [judge_recipient(route, talk) for route, talk in await talks(world)]


def judge_recipient(route: Route, talk: Talk) -> Outcome:
    """What it says to the null reverse-path and to a recipient of ours."""
    if not talk.mail:
        return skipped(NO_TALK, route.name)
    if not talk.mail.startswith("250"):
        mend = Text(
            "Let it take MAIL FROM:<> (RFC 5321 §6.1): reports and notices come so.",
            "Cho phép MAIL FROM:<> (RFC 5321 §6.1): báo cáo và thông báo gửi bằng địa chỉ rỗng.",
        )
        return error(same(f"MAIL FROM:<>: {talk.mail}"), mend, route.name, reply=talk.mail)
    for mailbox, reply in talk.recipients.items():
        if not reply.startswith("25"):
            mend = Text(
                "Let it take mail for this domain from the gateway, and have a postmaster (RFC 5321 §4.5.1).",
                "Cho phép cổng thư chuyển thư tới tên miền này, và có hộp thư postmaster (RFC 5321 §4.5.1).",
            )
            return (warning if reply.startswith("4") else error)(
                same(f"{mailbox}: {reply or talk.failure}"), mend, route.name, reply=reply
            )
    return ok(
        same("; ".join(f"{mailbox}: {reply}" for mailbox, reply in talk.recipients.items()) or talk.mail), route.name
    )


CHECKS = (
    Check(
        "routes.connect",
        Text("Receiving servers", "Máy chủ nhận"),
        Text(
            "The gateway keeps no queue for relayed mail: without them senders are asked to try again.",
            "Cổng thư không xếp hàng thư chuyển tiếp: thiếu máy chủ nhận thì máy gửi phải gửi lại sau.",
        ),
        _connect,
        ("policy",),
    ),
    Check(
        "routes.loop",
        Text("No loop", "Không lặp vòng"),
        Text(
            "A route that leads back to the gateway sends each message round until it is refused.",
            "Tuyến quay lại cổng thư khiến thư chạy vòng cho tới khi bị từ chối.",
        ),
        _loop,
        ("policy",),
    ),
    Check(
        "routes.recipient",
        Text("They take our mail", "Nhận thư từ cổng thư"),
        Text(
            "What they refuse is refused to the sender.", "Thư bị máy chủ nhận từ chối thì người gửi cũng bị từ chối."
        ),
        _recipient,
        ("policy",),
    ),
)
