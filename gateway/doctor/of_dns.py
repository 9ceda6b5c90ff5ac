"""DNS: the name servers that the gateway asks, and its own name."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, same, warning
from gateway.doctor.wire import Heard, Server, Way, ask
from gateway.doctor.world import World
from gateway.evidence.zone import Answer
from gateway.evidence.zone import Outcome as DnsOutcome

_LINES = '  apt install unbound\n  [dns]\n  nameservers = ["127.0.0.1:53"]'
OWN_RESOLVER = Text(
    f"Run a resolver of your own and name it in gateway.toml:\n{_LINES}",
    f"Cài máy chủ phân giải riêng và khai báo trong gateway.toml:\n{_LINES}",
)


async def _all(world: World, name: str, kind: str, way: Way) -> dict[Server, Heard]:
    heard = await asyncio.gather(*(ask(server, name, kind, way) for server in world.servers))
    return dict(zip(world.servers, heard, strict=True))


async def _servers(world: World) -> Sequence[Outcome]:
    if not world.servers:
        return [error(Text("no name server is known", "chưa khai báo máy chủ DNS nào"), OWN_RESOLVER)]
    heard = await _all(world, "longan.edu.vn", "SOA", "udp")
    alone = all(not each.rcode for each in heard.values())
    return [judge_server(server, each, alone=alone) for server, each in heard.items()]


def judge_server(server: Server, heard: Heard, *, alone: bool) -> Outcome:
    """`alone`: none of the others answers either."""
    if heard.rcode in ("", "REFUSED", "SERVFAIL"):
        said = heard.failure or heard.rcode
        return (error if alone else warning)(same(said), OWN_RESOLVER, str(server), failure=said)
    found = Text(f"answers in {heard.milliseconds} ms", f"trả lời sau {heard.milliseconds} ms")
    return ok(found, str(server), milliseconds=heard.milliseconds)


async def _tcp(world: World) -> Sequence[Outcome]:
    heard = await _all(world, "longan.edu.vn", "TXT", "tcp")
    return [judge_tcp(server, each) for server, each in heard.items()]


def judge_tcp(server: Server, heard: Heard) -> Outcome:
    if not heard.rcode:
        mend = Text(
            f"Let the firewall pass TCP port {server.port} to this server, or use another one.",
            f"Mở cổng (port) TCP {server.port} tới máy chủ này trên tường lửa, hoặc dùng máy chủ khác.",
        )
        return error(same(heard.failure), mend, str(server), failure=heard.failure)
    return ok(Text(f"answers in {heard.milliseconds} ms", f"trả lời sau {heard.milliseconds} ms"), str(server))


async def _edns(world: World) -> Sequence[Outcome]:
    heard = await _all(world, "longan.edu.vn", "TXT", "edns")
    return [judge_edns(server, each) for server, each in heard.items()]


def judge_edns(server: Server, heard: Heard) -> Outcome:
    if not heard.rcode or heard.rcode in ("FORMERR", "NOTIMP") or not heard.edns:
        said = heard.failure or (heard.rcode if heard.rcode in ("FORMERR", "NOTIMP") else "")
        found = Text(f"no EDNS{': ' + said if said else ''}", f"không hỗ trợ EDNS{': ' + said if said else ''}")
        return warning(found, OWN_RESOLVER, str(server), failure=said)
    return ok(Text("understood", "hỗ trợ"), str(server))


async def _honest(world: World) -> Sequence[Outcome]:
    names = [f"{secrets.token_hex(8)}.invalid", f"{secrets.token_hex(12)}.com", f"{secrets.token_hex(12)}.vn"]
    answers = await asyncio.gather(*(world.ask(name, "A") for name in names))
    return [judge_honest(dict(zip(names, answers, strict=True)))]


def judge_honest(answers: Mapping[str, Answer]) -> Outcome:
    """Answers for names that do not exist."""
    for name, answer in answers.items():
        if answer.outcome is DnsOutcome.ANSWER:
            found = Text(
                f"{name}, which does not exist, has {answer.records[0]!s}",
                f"{name} không tồn tại mà vẫn có {answer.records[0]!s}",
            )
            return error(found, OWN_RESOLVER, name=name)
    failed = [name for name, answer in answers.items() if answer.outcome is not DnsOutcome.NXDOMAIN]
    if failed:
        reason = answers[failed[0]].reason or answers[failed[0]].outcome
        return warning(
            Text(f"{failed[0]}: {reason} instead of NXDOMAIN", f"{failed[0]}: {reason} thay vì NXDOMAIN"), OWN_RESOLVER
        )
    return ok(Text("names that do not exist are told so", "báo đúng tên không tồn tại"))


async def addresses_of(world: World, name: str) -> list[str]:
    """A and AAAA of a name, by DNS; empty when there is none or DNS fails."""
    answers = await asyncio.gather(world.ask(name, "A"), world.ask(name, "AAAA"))
    return [str(record) for answer in answers for record in answer.records]


async def _hostname(world: World) -> Sequence[Outcome]:
    return [judge_hostname(world.settings.hostname, await addresses_of(world, world.settings.hostname))]


def judge_hostname(hostname: str, addresses: Sequence[str]) -> Outcome:
    if not addresses:
        mend = Text(
            f"Add it to your zone (with the real address):\n  {hostname}. 3600 IN A 192.0.2.25",
            f"Thêm vào vùng DNS (thay bằng địa chỉ thật):\n  {hostname}. 3600 IN A 192.0.2.25",
        )
        return error(Text(f"{hostname} has no address", f"{hostname} chưa có địa chỉ"), mend)
    return ok(same(f"{hostname}: {', '.join(addresses)}"), addresses=list(addresses))


async def _reverse(world: World) -> Sequence[Outcome]:
    addresses = await addresses_of(world, world.settings.hostname)
    names = await asyncio.gather(*(world.ask(ip_address(each).reverse_pointer, "PTR") for each in addresses))
    return [
        judge_reverse(world.settings.hostname, each, answer) for each, answer in zip(addresses, names, strict=True)
    ] or [
        error(
            Text("the host name has no address", "tên máy chủ chưa có địa chỉ"),
            Text("See dns.hostname.", "Xem dns.hostname."),
        )
    ]


def judge_reverse(hostname: str, address: str, answer: Answer) -> Outcome:
    names = [str(record).lower() for record in answer.records]
    if hostname.lower() in names:
        return ok(same(f"{address} → {hostname}"), address, names=names)
    record = f"  {ip_address(address).reverse_pointer}. 3600 IN PTR {hostname}."
    mend = Text(
        f"Ask whoever gave you the address to publish:\n{record}", f"Đề nghị đơn vị cấp địa chỉ IP khai báo:\n{record}"
    )
    found = (
        Text(f"{address} leads to {', '.join(names)}", f"{address} trỏ về {', '.join(names)}")
        if names
        else Text(f"{address} has no name", f"{address} chưa có tên ngược")
    )
    return warning(found, mend, address, names=names)


CHECKS = (
    Check(
        "dns.servers",
        Text("Name servers", "Máy chủ DNS"),
        Text(
            "Without DNS nothing is proven: mail is deferred.",
            "Không có DNS thì không chứng thực được gì: thư bị hoãn.",
        ),
        _servers,
    ),
    Check(
        "dns.tcp",
        Text("DNS over TCP", "DNS qua TCP"),
        Text(
            "Large answers (DKIM keys, long SPF records) come by TCP only.",
            "Câu trả lời lớn (khóa DKIM, bản ghi SPF dài) chỉ đi qua TCP.",
        ),
        _tcp,
        ("dns",),
    ),
    Check(
        "dns.edns",
        Text("EDNS", "EDNS"),
        Text(
            "Without it every answer over 512 octets costs a second question.",
            "Thiếu EDNS thì mỗi câu trả lời trên 512 octet phải hỏi lại lần nữa.",
        ),
        _edns,
        ("dns",),
    ),
    Check(
        "dns.honest",
        Text("Names that do not exist", "Tên không tồn tại"),
        Text(
            "A resolver that invents addresses makes forged domains look real.",
            "Máy chủ DNS bịa địa chỉ sẽ khiến tên miền giả trông như thật.",
        ),
        _honest,
        ("dns",),
    ),
    Check(
        "dns.hostname",
        Text("Address of the host name", "Địa chỉ của tên máy chủ"),
        Text(
            "Other servers find us and judge our notices by this name.",
            "Máy chủ khác tìm đến cổng thư và đánh giá thông báo theo tên này.",
        ),
        _hostname,
        ("dns",),
    ),
    Check(
        "dns.reverse",
        Text("Name of the address", "Tên ngược của địa chỉ"),
        Text(
            "Many servers refuse mail from an address whose name does not lead back.",
            "Nhiều máy chủ từ chối thư từ địa chỉ có tên ngược không khớp.",
        ),
        _reverse,
        ("dns",),
    ),
)
