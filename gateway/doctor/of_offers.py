"""What the servers behind the gateway offer it: sizes, extensions, the client's name, TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.of_routes import NO_TALK, servers, talk_to, talks
from gateway.doctor.talk import WHOLE, Talk
from gateway.doctor.world import World
from gateway.policy.route import Route
from gateway.relay.handshake import UNIX, connect
from gateway.relay.verdict import Refused


async def _offers(world: World) -> Sequence[Outcome]:
    largest = max(
        world.settings.smtp.max_size if world.settings.smtp.listen else 0,
        world.settings.milter.max_size if world.settings.milter.listen else 0,
    )
    return [judge_offers(route, talk, largest) for route, talk in await talks(world)]


def judge_offers(route: Route, talk: Talk, largest: int) -> Outcome:
    """Its extensions, beside what the door offers to senders."""
    if not talk.hello.startswith("250"):
        return skipped(NO_TALK, route.name)
    offered = talk.extensions
    size = offered.get("SIZE", "")
    values: dict[str, object] = {"extensions": offered}
    found = same(" ".join(f"{keyword} {offered[keyword]}".strip() for keyword in sorted(offered)))
    if size.isdecimal() and 0 < int(size) < largest:
        command = f"  postconf -e message_size_limit={largest}"
        mend = Text(
            f"Raise its limit to {largest} octets, or lower ours in gateway.toml. In Postfix:\n{command}",
            f"Nâng giới hạn của máy chủ nhận lên {largest} octet, hoặc hạ giới hạn trong gateway.toml. Với Postfix:\n{command}",
        )
        return warning(
            Text(
                f"it takes {size} octets, the door {largest}",
                f"máy chủ nhận tối đa {size} octet, cổng thư nhận {largest}",
            ),
            mend,
            route.name,
            **values,
        )
    if missing := [keyword for keyword in ("8BITMIME", "PIPELINING") if keyword not in offered]:
        mend = Text(
            "Switch them on at the receiving server; senders get what both can.",
            "Bật các phần mở rộng này ở máy chủ nhận; máy gửi chỉ dùng được những gì cả hai hỗ trợ.",
        )
        return warning(Text(f"without {', '.join(missing)}", f"thiếu {', '.join(missing)}"), mend, route.name, **values)
    return ok(found, route.name, **values)


async def _client(world: World) -> Sequence[Outcome]:
    return [judge_client(route, talk) for route, talk in await talks(world)]


def judge_client(route: Route, talk: Talk) -> Outcome:
    """Whether it hears whose mail it is."""
    if not talk.hello.startswith("250"):
        return skipped(NO_TALK, route.name)
    offered = [keyword for keyword in ("XCLIENT", "XFORWARD") if keyword in talk.extensions]
    if offered:
        return ok(same(", ".join(offered)), route.name, offered=offered)
    mend = Text(
        "Let the gateway's address alone tell it. In Postfix:\n  postconf -e smtpd_authorized_xforward_hosts=127.0.0.1\n"
        "Where it cannot, switch off its own SPF check, greylisting and limits for the gateway.",
        "Chỉ cho phép địa chỉ của cổng thư thông báo. Với Postfix:\n  postconf -e smtpd_authorized_xforward_hosts=127.0.0.1\n"
        "Nếu không hỗ trợ, hãy tắt kiểm tra SPF, danh sách xám và giới hạn đối với cổng thư.",
    )
    return warning(Text("neither XCLIENT nor XFORWARD", "không có XCLIENT và XFORWARD"), mend, route.name, offered=[])


async def _tls(world: World) -> Sequence[Outcome]:
    wanted = [route for route in servers(world) if route.starttls != "never" and not route.host.startswith(UNIX)]
    talks = [await talk_to(world, route) for route in wanted]
    failures = await asyncio.gather(
        *(_handshake(route, talk, world.settings.hostname) for route, talk in zip(wanted, talks, strict=True))
    )
    return [judge_tls(*each) for each in zip(wanted, talks, failures, strict=True)]


async def _handshake(route: Route, talk: Talk, hostname: str) -> str:
    """Why the gateway's own connection does not come about, "" when it does."""
    if "STARTTLS" not in talk.extensions:
        return ""
    try:
        strict = Route(route.name, route.protocol, route.host, route.port, route.path, "must", route.xclient)
        connection = await connect(strict, hostname, WHOLE / 2)
    except Refused as refusal:
        return str(refusal)
    connection.quit()
    return ""


def judge_tls(route: Route, talk: Talk, failure: str) -> Outcome:
    """`failure` of a handshake that verifies the certificate; a route that says `may` goes on without."""
    if not talk.hello.startswith("250"):
        return skipped(NO_TALK, route.name)
    must = route.starttls == "must"
    if "STARTTLS" not in talk.extensions:
        found = Text("STARTTLS is not offered", "không có STARTTLS")
        mend = Text(
            f"Switch on TLS at the server, or write in policy.yaml for route {route.name}:\n  starttls: may",
            f"Bật TLS ở máy chủ nhận, hoặc ghi trong policy.yaml cho tuyến {route.name}:\n  starttls: may",
        )
        return error(found, mend, route.name) if must else ok(found, route.name)
    if failure:
        found = Text(f"the certificate is not proven: {failure}", f"không chứng thực được chứng chỉ: {failure}")
        mend = Text(
            f"Give the server a certificate for {route.host} by an authority that this host trusts.",
            f"Cấp cho máy chủ nhận chứng chỉ tên {route.host} do tổ chức mà máy này tin cậy.",
        )
        return error(found, mend, route.name, failure=failure) if must else ok(found, route.name, failure=failure)
    return ok(Text("encrypted, the certificate is proven", "có mã hóa, chứng chỉ hợp lệ"), route.name)


CHECKS = (
    Check(
        "routes.offers",
        Text("What they can take", "Khả năng tiếp nhận"),
        Text("Senders are offered what both servers can.", "Máy gửi chỉ được chào những gì cả hai máy chủ hỗ trợ."),
        _offers,
        ("policy",),
    ),
    Check(
        "routes.client",
        Text("They hear whose mail it is", "Biết thư của máy nào"),
        Text(
            "Else all mail seems to come from the gateway: their SPF, lists and limits misjudge it.",
            "Nếu không, mọi thư như đến từ cổng thư: SPF, danh sách và giới hạn của máy chủ nhận sẽ sai.",
        ),
        _client,
        ("policy",),
    ),
    Check(
        "routes.tls",
        Text("TLS to them", "TLS tới máy chủ nhận"),
        Text(
            "A route that says `starttls: must` takes no mail without it.",
            "Tuyến ghi `starttls: must` sẽ không chuyển thư nếu thiếu TLS.",
        ),
        _tls,
        ("policy",),
    ),
)
