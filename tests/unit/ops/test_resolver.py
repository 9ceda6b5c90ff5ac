"""The resolver against a DNS server whose every answer is scripted, on both event loops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from gateway.evidence.zone import NODATA, NXDOMAIN, Outcome, Question, found
from gateway.resolver import Resolver
from gateway.resolver.cache import Cache
from tests.support.dns_server import SERVFAIL, SILENT, DnsServer, Script, ZoneData, settings_for

ZONE: ZoneData = {
    "longan.edu.vn": {
        "A": ["192.0.2.10"],
        "AAAA": ["2001:db8::10"],
        "MX": [(10, "MX1.longan.edu.vn"), (20, "mx2.longan.edu.vn")],
        "TXT": ["v=spf1 mx -all", b"\xff\xfe" + b"d" * 600],
    },
    "10.2.0.192.in-addr.arpa": {"PTR": ["Mail.longan.edu.vn"]},
    "www.longan.edu.vn": {"CNAME": Script(records=["longan.edu.vn"], ttl=7)},
    "dangling.longan.edu.vn": {"CNAME": ["nowhere.longan.edu.vn"]},
    "no-address.longan.edu.vn": {"CNAME": ["10.2.0.192.in-addr.arpa"]},
    "null.longan.edu.vn": {"MX": [(0, ".")]},
    "selector._domainkey.longan.edu.vn": {"TXT": [b"v=DKIM1; p=" + b"A" * 3000]},
    "broken.longan.edu.vn": {"TXT": SERVFAIL},
    "refused.longan.edu.vn": {"TXT": Script(rcode="REFUSED")},
    "silent.longan.edu.vn": {"TXT": SILENT},
    "no-tcp.longan.edu.vn": {"TXT": Script(records=["v=spf1 -all"], truncated=True, refuse_tcp=True)},
    "fresh.longan.edu.vn": {"A": Script(records=["192.0.2.20"], ttl=0)},
    "slow.longan.edu.vn": {"A": Script(records=["192.0.2.30"], delay=0.2)},
}


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@asynccontextmanager
async def resolver_for(server: DnsServer, clock: Callable[[], float] = time.monotonic, **changes: object):
    resolver = Resolver(settings_for(server.address, **changes), clock)
    try:
        yield resolver
    finally:
        await resolver.close()


async def ask(resolver: Resolver, name: str, kind: str = "TXT"):
    question = Question(name, kind)
    return (await resolver.answer([question]))[question]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_every_type_is_read_as_the_zone_contract_says(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    expected = {
        Question("longan.edu.vn", "A"): {"192.0.2.10"},
        Question("longan.edu.vn", "AAAA"): {"2001:db8::10"},
        Question("longan.edu.vn", "MX"): {(10, "mx1.longan.edu.vn"), (20, "mx2.longan.edu.vn")},
        Question("longan.edu.vn", "TXT"): {b"v=spf1 mx -all", b"\xff\xfe" + b"d" * 600},
        Question("10.2.0.192.in-addr.arpa", "PTR"): {"mail.longan.edu.vn"},
        Question("www.longan.edu.vn", "A"): {"192.0.2.10"},
        Question("null.longan.edu.vn", "MX"): {(0, "")},
        Question("selector._domainkey.longan.edu.vn", "TXT"): {b"v=DKIM1; p=" + b"A" * 3000},
    }

    async def main() -> None:
        async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
            answers = await resolver.answer(expected)
            assert {question: set(answer.records) for question, answer in answers.items()} == expected
            assert {answer.outcome for answer in answers.values()} == {Outcome.ANSWER}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


async def test_absence_and_failure_have_different_names() -> None:
    """F-18: NODATA, NXDOMAIN, SERVFAIL and silence never share a value."""
    async with DnsServer(ZONE) as server, resolver_for(server, timeout=0.5) as resolver:
        assert await ask(resolver, "longan.edu.vn", "PTR") == NODATA
        assert await ask(resolver, "edu.vn", "A") == NODATA  # an empty non-terminal
        assert await ask(resolver, "no-address.longan.edu.vn", "A") == NODATA
        assert await ask(resolver, "nobody.longan.edu.vn", "A") == NXDOMAIN
        assert await ask(resolver, "dangling.longan.edu.vn", "A") == NXDOMAIN
        for name in ("broken", "refused", "silent"):
            answer = await ask(resolver, f"{name}.longan.edu.vn")
            assert answer.is_error
            assert answer.reason


async def test_names_that_cannot_be_are_never_asked() -> None:
    """S-21: mail chooses the names; some libraries would unescape, IDNA-code or shorten them."""
    names = [
        "",
        ".",
        "a..vn",
        "x\\y.vn",
        "sở.vn",
        "a" * 64 + ".vn",
        ".".join(["a" * 60] * 5),
        "a.vn.",
        "a\n.vn",
    ]
    async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
        for name in names:
            assert await ask(resolver, name) == NXDOMAIN
        assert not server.asked


async def test_names_that_no_host_has_are_asked_as_they_are() -> None:
    """RFC 7208 §4.8: SPF macros and targets put colons, slashes, per cents and blanks into names."""
    zone: ZoneData = {
        "foo:bar/baz.vn": {"A": ["192.0.2.1"], "MX": [(10, "MX.vn")], "AAAA": ["2001:db8::1"]},
        "a%b c.vn": {"TXT": [b"v=spf1 " + b"x" * 300 + b"\xff"], "PTR": ["Host.vn"]},
        "alias:1.vn": {"CNAME": ["target.vn"]},
        "target.vn": {"A": ["192.0.2.2"]},
        "broken:1.vn": {"A": SERVFAIL},
        "silent:1.vn": {"A": SILENT},
        "big:1.vn": {"TXT": [b"x" * 4000]},
    }
    async with DnsServer(zone) as server, resolver_for(server, timeout=0.5) as resolver:
        assert await ask(resolver, "foo:bar/baz.vn", "A") == found("192.0.2.1")
        assert await ask(resolver, "foo:bar/baz.vn", "AAAA") == found("2001:db8::1")
        assert await ask(resolver, "foo:bar/baz.vn", "MX") == found((10, "mx.vn"))
        assert await ask(resolver, "foo:bar/baz.vn", "TXT") == NODATA
        assert await ask(resolver, "a%b c.vn", "TXT") == found(b"v=spf1 " + b"x" * 300 + b"\xff")
        assert await ask(resolver, "a%b c.vn", "PTR") == found("host.vn")
        assert await ask(resolver, "alias:1.vn", "A") == found("192.0.2.2")
        assert await ask(resolver, "big:1.vn", "TXT") == found(b"x" * 4000)
        assert await ask(resolver, "no:body.vn", "A") == NXDOMAIN
        assert (await ask(resolver, "broken:1.vn", "A")).outcome is Outcome.ERROR
        assert (await ask(resolver, "silent:1.vn", "A")).outcome is Outcome.ERROR


async def test_an_answer_is_kept_for_the_least_ttl_of_its_chain() -> None:
    clock = Clock()
    async with DnsServer(ZONE) as server, resolver_for(server, clock) as resolver:
        question = Question("www.longan.edu.vn", "A")
        assert resolver.cache.get(question) is None
        await ask(resolver, *question)
        clock.ahead = 6
        assert resolver.cache.get(question) == found("192.0.2.10")
        clock.ahead = 8
        assert resolver.cache.get(question) is None


async def test_a_ttl_of_zero_is_for_one_message_only() -> None:
    async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
        question = Question("fresh.longan.edu.vn", "A")
        for _ in range(3):
            assert await ask(resolver, *question) == found("192.0.2.20")
            assert resolver.cache.get(question) is None
        assert server.asked[question] == 3


@pytest.mark.parametrize(
    ("name", "kind", "limits", "lifetime"),
    [
        ("longan.edu.vn", "A", {"max_ttl": 50}, 50),
        ("nobody.longan.edu.vn", "A", {"negative_ttl": 20}, 20),
        ("longan.edu.vn", "PTR", {"negative_ttl": 20}, 20),
        ("broken.longan.edu.vn", "TXT", {"error_ttl": 3}, 3),
    ],
)
async def test_settings_limit_how_long_an_answer_is_kept(
    name: str, kind: str, limits: dict[str, object], lifetime: int
) -> None:
    clock = Clock()
    async with DnsServer(ZONE) as server, resolver_for(server, clock, **limits) as resolver:
        await ask(resolver, name, kind)
        clock.ahead = lifetime - 1
        assert resolver.cache.get(Question(name, kind)) is not None
        clock.ahead = lifetime + 1
        assert resolver.cache.get(Question(name, kind)) is None


async def test_c_ares_does_not_keep_answers_beyond_our_settings() -> None:
    """c-ares has a cache of its own, without limits, that cannot be turned off."""
    clock = Clock()
    zone = {name: dict(types) for name, types in ZONE.items()}
    async with DnsServer(zone) as server, resolver_for(server, clock, max_ttl=30) as resolver:
        assert await ask(resolver, "longan.edu.vn", "A") == found("192.0.2.10")
        zone["longan.edu.vn"]["A"] = ["192.0.2.99"]
        clock.ahead = 100
        assert await ask(resolver, "longan.edu.vn", "A") == found("192.0.2.99")


def test_what_may_not_be_kept_takes_no_place_from_others() -> None:
    cache = Cache(1, time.monotonic)
    cache.put(Question("longan.edu.vn", "A"), found("192.0.2.10"), 60)
    cache.put(Question("fresh.longan.edu.vn", "A"), found("192.0.2.20"), 0)
    assert cache.get(Question("longan.edu.vn", "A")) == found("192.0.2.10")


async def test_the_cache_is_bounded_and_the_least_used_goes_first() -> None:
    """S-21: a hundred thousand random labels do not fill the memory."""
    async with DnsServer(ZONE) as server, resolver_for(server, cache_size=20) as resolver:
        await ask(resolver, "longan.edu.vn", "A")
        for number in range(60):
            await ask(resolver, f"label{number}.longan.edu.vn", "A")
            assert resolver.cache.get(Question("longan.edu.vn", "A")) is not None
        kept = [n for n in range(60) if resolver.cache.get(Question(f"label{n}.longan.edu.vn", "A"))]
        assert kept == list(range(41, 60))


async def test_messages_that_want_the_same_answer_share_one_question() -> None:
    async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
        answers = await asyncio.gather(*(ask(resolver, "slow.longan.edu.vn", "A") for _ in range(50)))
        assert set(answers) == {found("192.0.2.30")}
        assert server.asked["slow.longan.edu.vn", "A"] == 1


async def test_a_message_that_goes_away_does_not_take_the_answer_of_others_with_it() -> None:
    async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
        gone = asyncio.create_task(ask(resolver, "slow.longan.edu.vn", "A"))
        staying = asyncio.create_task(ask(resolver, "slow.longan.edu.vn", "A"))
        await asyncio.sleep(0.05)
        gone.cancel()
        assert await staying == found("192.0.2.30")


async def test_one_silent_zone_neither_delays_the_rest_nor_opens_the_breaker() -> None:
    async with DnsServer(ZONE) as server, resolver_for(server, timeout=0.6) as resolver:
        answers = await resolver.answer([Question("silent.longan.edu.vn", "TXT"), Question("longan.edu.vn", "A")])
        assert answers[Question("silent.longan.edu.vn", "TXT")].is_error
        assert answers[Question("longan.edu.vn", "A")] == found("192.0.2.10")
        await until(lambda: any(name.endswith(".invalid") for name, _ in server.asked))
        assert not resolver.is_down


async def test_a_truncated_answer_without_tcp_is_an_error_and_the_server_is_not_called_dead() -> None:
    """F-20: TC + TCP refused."""
    async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
        assert (await ask(resolver, "no-tcp.longan.edu.vn")).is_error
        await until(lambda: any(name.endswith(".invalid") for name, _ in server.asked))
        assert not resolver.is_down


@pytest.mark.parametrize(
    "records",
    [[b"v" * 20_000], [b"x" * 60_000], [f"string {n}" for n in range(250)]],
    ids=["20 kB", "60 kB", "250 records"],
)
async def test_oversize_text_is_an_error_and_not_kept_whole(records: list[str | bytes]) -> None:
    """F-20: bounded time and memory."""
    async with DnsServer({"big.edu.vn": {"TXT": records}}) as server, resolver_for(server) as resolver:
        answer = await ask(resolver, "big.edu.vn")
        assert answer.is_error
        assert not answer.records


async def test_large_answers_are_given_but_not_kept() -> None:
    async with DnsServer({"big.edu.vn": {"TXT": [b"v" * 6000]}}) as server, resolver_for(server) as resolver:
        assert (await ask(resolver, "big.edu.vn")).records == (b"v" * 6000,)
        assert resolver.cache.get(Question("big.edu.vn", "TXT")) is None


def chain(length: int) -> ZoneData:
    links = {f"c{n}.edu.vn": {"CNAME": [f"c{n + 1}.edu.vn"]} for n in range(length)}
    return {**links, f"c{length}.edu.vn": {"A": ["192.0.2.1"]}}


async def test_cname_chains_are_followed_eight_times() -> None:
    """F-21: temperror for longer chains and for loops."""
    async with DnsServer(chain(8)) as server, resolver_for(server) as resolver:
        assert await ask(resolver, "c0.edu.vn", "A") == found("192.0.2.1")
    async with DnsServer(chain(9)) as server, resolver_for(server) as resolver:
        assert (await ask(resolver, "c0.edu.vn", "A")).is_error
    loop = {"a.edu.vn": {"CNAME": ["b.edu.vn"]}, "b.edu.vn": {"CNAME": ["a.edu.vn"]}}
    async with DnsServer(loop) as server, resolver_for(server) as resolver:
        assert (await ask(resolver, "a.edu.vn", "A")).is_error


async def until(condition: Callable[[], bool], act: Callable[[], Awaitable[object]] | None = None) -> None:
    """Wait for something that must come; the suite's own time limit ends what does not."""
    while not condition():
        if act is not None:
            await act()
        await asyncio.sleep(0.02)


async def test_dead_servers_open_the_breaker_and_living_ones_close_it() -> None:
    """F-19: no message waits for each question when nothing answers."""
    server = DnsServer(ZONE)
    async with server:
        pass  # now the port is known and nobody listens on it
    async with resolver_for(server, timeout=1.0, error_ttl=0) as resolver:
        assert (await ask(resolver, "longan.edu.vn")).is_error
        await until(lambda: resolver.is_down)
        for number in range(100):  # this reason is given without asking, so nothing waits
            assert (await ask(resolver, f"n{number}.longan.edu.vn")).reason == "no name server answers"
        async with server:
            await until(lambda: not resolver.is_down)
            assert await ask(resolver, "longan.edu.vn", "A") == found("192.0.2.10")


async def test_silent_servers_end_the_questions_that_wait_for_them() -> None:
    """F-19: the breaker's opening cuts short what is already waiting."""

    class Deaf(DnsServer):
        def reply(self, wire: bytes, *, tcp: bool):
            return super().reply(wire, tcp=tcp)._replace(octets=b"")

    async with Deaf(ZONE) as server, resolver_for(server, timeout=30.0) as resolver:
        waiting = asyncio.create_task(ask(resolver, "longan.edu.vn"))
        await asyncio.sleep(0.05)
        resolver._breaker._patience = 0.1
        resolver._breaker.doubt()
        assert (await waiting).reason == "DNS query cancelled"  # long before the thirty seconds
        assert resolver.is_down


async def test_closing_answers_those_who_wait() -> None:
    async with DnsServer(ZONE) as server, resolver_for(server) as resolver:
        waiting = asyncio.create_task(ask(resolver, "silent.longan.edu.vn"))
        await asyncio.sleep(0.05)
        await resolver.close()
        assert (await waiting).is_error
