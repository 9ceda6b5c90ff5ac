"""What the departments' own and official domains publish: MX, SPF, DKIM, DMARC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Final

from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.of_dns import addresses_of
from gateway.doctor.world import World
from gateway.evidence.dmarc_record import Walk, walk_from, walk_questions
from gateway.evidence.spf import check as check_spf
from gateway.evidence.zone import Answer, Question, Recorder
from gateway.evidence.zone import Outcome as DnsOutcome

ROUNDS: Final = 14  # of questions for one SPF record: ten look-ups and some to spare (RFC 7208 §4.6.4)
PATIENCE: Final = 8.0  # seconds for one domain
STRANGER: Final = ip_address("192.0.2.1")  # nobody's (RFC 5737): who lets it pass lets everybody pass
UNDERSTOOD: Final = ("fail", "softfail", "neutral")


async def _mx(world: World) -> Sequence[Outcome]:
    ours = await addresses_of(world, world.settings.hostname)
    return await asyncio.gather(*(_mx_of(world, domain, ours) for domain in world.own_domains))


async def _mx_of(world: World, domain: str, ours: Collection[str]) -> Outcome:
    answer = await world.ask(domain, "MX")
    names = [record[1].lower() for record in sorted(r for r in answer.records if isinstance(r, tuple))]
    addresses = await asyncio.gather(*(addresses_of(world, name) for name in names if name))
    others = [
        name for name, found in zip([n for n in names if n], addresses, strict=True) if not set(found) & set(ours)
    ]
    return judge_mx(
        domain, world.settings.hostname, answer, names, [name for name in others if name != world.settings.hostname]
    )


def judge_mx(domain: str, hostname: str, answer: Answer, names: Sequence[str], others: Sequence[str]) -> Outcome:
    """`others` of the exchange `names` have none of our addresses."""
    line = f"  {domain}. 3600 IN MX 10 {hostname}."
    if answer.is_error:
        return warning(same(answer.reason or "DNS error"), Text("Ask again later.", "Thử lại sau."), domain)
    if not names or not any(names):
        found = Text(
            "no MX" if not names else "a null MX: the domain takes no mail",
            "chưa có MX" if not names else "MX rỗng: tên miền không nhận thư",
        )
        return error(found, Text(f"Publish:\n{line}", f"Khai báo:\n{line}"), domain, mx=list(names))
    found = same(", ".join(names))
    if len(others) == len(names):
        mend = Text(
            f"Mail does not come here yet. When everything else is well, publish:\n{line}",
            f"Thư chưa đi qua cổng thư. Khi các mục khác đã ổn, khai báo:\n{line}",
        )
        return warning(found, mend, domain, mx=list(names))
    if others:
        mend = Text(
            f"Remove what leads past the gateway, since forgers choose it: {', '.join(others)}",
            f"Bỏ bản ghi đi vòng qua cổng thư, vì kẻ giả mạo sẽ chọn: {', '.join(others)}",
        )
        return warning(found, mend, domain, mx=list(names), past_us=list(others))
    return ok(found, domain, mx=list(names))


def _domains(world: World) -> list[str]:
    """Own and official ones, each once."""
    official = [domain.removeprefix("*.") for domain in world.policy.official_domains]
    return list(dict.fromkeys([*world.own_domains, *official]))


async def spf_of(world: World, domain: str, address: str) -> tuple[str, str]:
    """SPF's result for mail of the domain from this address, and the reason of an error."""
    known: dict[Question, Answer] = {}
    until = time.monotonic() + PATIENCE - world.resolver_seconds
    for _ in range(ROUNDS):
        zone = Recorder(known)
        client = ip_address(address)
        result = check_spf(
            client,
            f"postmaster@{domain}",
            domain,
            zone,
            "smtp.mailfrom",
            receiver=world.settings.hostname,
            now=world.now,
        )
        if result is not None:
            return result.result, result.reason
        if time.monotonic() > until:
            break
        known |= await world.resolver.answer(zone.missing)
    return "temperror", "not finished"


async def _spf(world: World) -> Sequence[Outcome]:
    domains = _domains(world)
    found = await asyncio.gather(*(spf_of(world, domain, str(STRANGER)) for domain in domains))
    return [judge_spf(domain, *each) for domain, each in zip(domains, found, strict=True)]


def judge_spf(domain: str, result: str, reason: str) -> Outcome:
    """`result` of an address that nobody has."""
    keeper = Text(
        f"Whoever keeps the zone {domain} should publish (with the real hosts):",
        f"Đơn vị quản lý vùng {domain} cần khai báo (với máy chủ thật):",
    )
    line = f'  {domain}. 3600 IN TXT "v=spf1 mx -all"'
    mend = Text(f"{keeper.en}\n{line}", f"{keeper.vi}\n{line}")
    if result in UNDERSTOOD:
        return ok(Text(f"strangers: {result}", f"máy lạ: {result}"), domain, strangers=result)
    if result == "pass":
        return error(Text("strangers pass", "máy lạ cũng được chấp nhận"), mend, domain, strangers=result)
    found = Text("no record", "chưa có bản ghi") if result == "none" else same(f"{result}: {reason}")
    return (error if result == "permerror" else warning)(found, mend, domain, strangers=result, reason=reason)


async def _dkim(world: World) -> Sequence[Outcome]:
    domains = _domains(world)
    answers = await asyncio.gather(*(world.ask(f"_domainkey.{domain}", "TXT") for domain in domains))
    return [judge_dkim(domain, answer) for domain, answer in zip(domains, answers, strict=True)]


def judge_dkim(domain: str, answer: Answer) -> Outcome:
    """Selectors cannot be listed, but where `_domainkey` does not exist there is none (RFC 8020)."""
    if answer.is_error:
        return skipped(same(answer.reason or "DNS error"), domain)
    if answer.outcome is DnsOutcome.NXDOMAIN:
        mend = Text(
            f"Whoever sends for {domain} should sign with DKIM; until then unit mail is proven by SPF only.",
            f"Đơn vị gửi thư cho {domain} nên ký DKIM; khi chưa ký, thư chỉ được chứng thực bằng SPF.",
        )
        return warning(Text("no key at all", "không có khóa nào"), mend, domain, keys=False)
    return ok(Text("there are keys", "có khóa"), domain, keys=True)


async def _dmarc(world: World) -> Sequence[Outcome]:
    domains = _domains(world)
    return await asyncio.gather(*(_dmarc_of(world, domain) for domain in domains))


async def _dmarc_of(world: World, domain: str) -> Outcome:
    answers = await world.resolver.answer(walk_questions(domain))
    walk = walk_from(domain, answers)
    here = answers.get(Question(f"_dmarc.{domain}", "TXT"))
    texts = [record.decode("latin-1") for record in here.records if isinstance(record, bytes)] if here else []
    return judge_dmarc(domain, walk, [text for text in texts if "dmarc" in text.lower()])


def judge_dmarc(domain: str, walk: Walk | None, texts: Sequence[str]) -> Outcome:
    """`texts` are the TXT records at `_dmarc` that are meant for DMARC."""
    line = f'  _dmarc.{domain}. 3600 IN TXT "v=DMARC1; p=quarantine"'
    mend = Text(
        f"Whoever keeps the zone should publish, and only once:\n{line}",
        f"Đơn vị quản lý vùng cần khai báo, duy nhất một bản ghi:\n{line}",
    )
    if walk is None or walk.error:
        return skipped(same(walk.error if walk else "DNS error"), domain)
    if len(texts) > 1:
        return error(
            Text("two records: neither counts", "hai bản ghi: không bản nào có hiệu lực"),
            mend,
            domain,
            records=list(texts),
        )
    if texts and (walk.own is None or not walk.own.applies):
        return error(
            Text(f"cannot be read: {texts[0]}", f"không đọc được: {texts[0]}"), mend, domain, records=list(texts)
        )
    record = walk.applicable
    if record is None:
        return warning(Text("no record", "chưa có bản ghi"), mend, domain)
    asked = record.policy if record.domain == domain else record.subdomains or record.policy
    values = {"policy": asked, "at": record.domain, "psd": record.psd}
    if record.psd == "y" and record.domain == domain:
        found = Text("psd=y says that this is a public suffix, like .vn", "psd=y nghĩa là hậu tố công cộng, như .vn")
        return warning(found, Text("Remove psd=y.", "Bỏ psd=y."), domain, **values)
    return ok(same(f"p={asked} ({record.domain})"), domain, **values)


CHECKS = (
    Check(
        "domains.mx",
        Text("MX of our domains", "MX của tên miền nhận thư"),
        Text(
            "Mail comes through the gateway only where MX leads to it.",
            "Thư chỉ đi qua cổng thư khi MX trỏ tới cổng thư.",
        ),
        _mx,
        ("policy", "dns", "smtp"),
    ),
    Check(
        "domains.spf",
        Text("SPF of official domains", "SPF của tên miền công vụ"),
        Text("SPF proves mail of units whose servers do not sign.", "SPF chứng thực thư của đơn vị chưa ký DKIM."),
        _spf,
        ("policy", "dns"),
    ),
    Check(
        "domains.dkim",
        Text("DKIM of official domains", "DKIM của tên miền công vụ"),
        Text(
            "Only a signature proves mail that was forwarded or sent from a shared cloud.",
            "Chỉ chữ ký mới chứng thực được thư chuyển tiếp hoặc gửi từ đám mây dùng chung.",
        ),
        _dkim,
        ("policy", "dns"),
    ),
    Check(
        "domains.dmarc",
        Text("DMARC of official domains", "DMARC của tên miền công vụ"),
        Text(
            "DMARC tells others what to do with mail that forges these names.",
            "DMARC cho nơi khác biết cách xử lý thư giả mạo các tên miền này.",
        ),
        _dmarc,
        ("policy", "dns"),
    ),
)
