"""A world for `gateway doctor`: settings and policies in a folder, DNS by the scriptable server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.demo.dns import DnsServer, ZoneData
from gateway.doctor.examine import CHECKS, outcomes_of
from gateway.doctor.finding import Outcome
from gateway.doctor.world import World, see
from tests.support.node import policy_folder, settings_of

HOST = "mx.longan.edu.vn"
ADDRESS = "192.0.2.25"
GOOD_ZONE: dict[str, dict[str, Any]] = {
    HOST: {"A": [ADDRESS]},
    "25.2.0.192.in-addr.arpa": {"PTR": [HOST]},
    "longan.edu.vn": {"MX": [(10, HOST)], "TXT": [f"v=spf1 ip4:{ADDRESS} -all"]},
    "_dmarc.longan.edu.vn": {"TXT": ["v=DMARC1; p=quarantine"]},
    "s1._domainkey.longan.edu.vn": {"TXT": ["v=DKIM1; p="]},
    "moet.edu.vn": {"TXT": ["v=spf1 ip4:203.0.113.10 ~all"]},
    "_dmarc.moet.edu.vn": {"TXT": ["v=DMARC1; p=none"]},
    "s1._domainkey.moet.edu.vn": {"TXT": ["v=DKIM1; p="]},
}


@asynccontextmanager
async def world(
    folder: Path,
    zone: ZoneData | None = None,
    *,
    server: type[DnsServer] = DnsServer,
    port: int = 10025,
    overlay: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """The world of a gateway that does not run; `port` is that of the route `main`."""
    policy_folder(folder / "policies", port, overlay)
    async with server(GOOD_ZONE if zone is None else zone) as dns:
        seen = await see(folder / "gateway.toml", settings_of(folder, dns.address, **settings))
        try:
            yield seen
        finally:
            await seen.close()


async def look(seen: World, check_id: str) -> list[Outcome]:
    """What one check finds, by the way that `gateway doctor` goes."""
    [check] = [check for check in CHECKS if check.id == check_id]
    return list(await outcomes_of(check, seen))


async def results(seen: World, check_id: str) -> list[str]:
    return [str(outcome.result) for outcome in await look(seen, check_id)]


def without(zone: Mapping[str, Mapping[str, Any]], *names: str) -> dict[str, Mapping[str, Any]]:
    return {name: records for name, records in zone.items() if name not in names}


def said(outcomes: Sequence[Outcome]) -> str:
    """All words of the outcomes, English and Vietnamese."""
    texts = [text for each in outcomes for text in (each.found, each.mend)]
    return "\n".join([*(text.en for text in texts), *(text.vi for text in texts)])
