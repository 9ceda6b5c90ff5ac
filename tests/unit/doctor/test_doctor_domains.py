"""`gateway doctor --only domains,notice`: MX, SPF, DKIM, DMARC, as zones get them wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.doctor.of_notice import record_of
from tests.support.doctoring import ADDRESS, GOOD_ZONE, HOST, look, results, said, without, world

OURS = "longan.edu.vn"


async def test_good_zones_are_well(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        assert await results(seen, "domains.mx") == ["ok"]
        for check in ("domains.spf", "domains.dkim", "domains.dmarc"):
            assert await results(seen, check) == ["ok", "ok"], check
        assert await results(seen, "notice.spf") == ["ok"]


@pytest.mark.parametrize(
    ("mx", "expected", "word"),
    [
        ([], "error", "no MX"),
        ([(0, ".")], "error", "null MX"),
        ([(10, "mail.example.net")], "warning", "does not come here yet"),
        ([(10, HOST), (20, "backup.example.net")], "warning", "backup.example.net"),
        ([(10, "other-name.longan.edu.vn")], "ok", "other-name"),  # another name of our address
    ],
)
async def test_mx(tmp_path: Path, mx: list[Any], expected: str, word: str) -> None:
    zone = GOOD_ZONE | {
        OURS: {"MX": mx, "TXT": []},
        "mail.example.net": {"A": ["198.51.100.7"]},
        "backup.example.net": {"A": ["198.51.100.8"]},
        "other-name.longan.edu.vn": {"A": [ADDRESS]},
    }
    async with world(tmp_path, zone) as seen:
        found = await look(seen, "domains.mx")
    assert [str(each.result) for each in found] == [expected]
    assert word in said(found)


@pytest.mark.parametrize(
    ("texts", "expected", "word"),
    [
        ([], "warning", "no record"),
        (["v=spf1 +all"], "error", "strangers pass"),
        (["v=spf1 -all", "v=spf1 ~all"], "error", "permerror"),
        (["v=spf1 ip4:300.1.1.1 -all"], "error", "permerror"),
        (["v=spf1 include:a.example.org -all"], "error", "permerror"),  # eleven look-ups deep
    ],
)
async def test_spf(tmp_path: Path, texts: list[str], expected: str, word: str) -> None:
    chain = {
        f"{name}.example.org": {"TXT": [f"v=spf1 include:{after}.example.org -all"]}
        for name, after in pairwise("abcdefghijklm")
    }
    async with world(tmp_path, GOOD_ZONE | chain | {"moet.edu.vn": {"TXT": texts}}) as seen:
        found = await look(seen, "domains.spf")
    assert [str(each.result) for each in found] == ["ok", expected]
    assert word in said(found)


async def test_a_domain_without_any_dkim_key(tmp_path: Path) -> None:
    """RFC 8020: where _domainkey does not exist, no selector does."""
    async with world(tmp_path, without(GOOD_ZONE, "s1._domainkey.moet.edu.vn")) as seen:
        assert await results(seen, "domains.dkim") == ["ok", "warning"]


@pytest.mark.parametrize(
    ("texts", "expected", "word"),
    [
        ([], "warning", "no record"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "error", "neither counts"),
        (["v=DMARC1; p=rejekt"], "error", "cannot be read"),
        (["p=reject; v=DMARC1"], "error", "cannot be read"),
        (["v=DMARC1; p=reject; psd=y"], "warning", "public suffix"),
    ],
)
async def test_dmarc(tmp_path: Path, texts: list[str], expected: str, word: str) -> None:
    async with world(tmp_path, GOOD_ZONE | {"_dmarc.moet.edu.vn": {"TXT": texts}}) as seen:
        found = await look(seen, "domains.dmarc")
    assert [str(each.result) for each in found] == ["ok", expected]
    assert word in said(found)


async def test_notices_from_an_address_that_spf_does_not_name(tmp_path: Path) -> None:
    zone = GOOD_ZONE | {OURS: {"MX": [(10, HOST)], "TXT": ["v=spf1 ip4:203.0.113.1 -all"]}}
    async with world(tmp_path, zone) as seen:
        [outcome] = await look(seen, "notice.spf")
    assert outcome.result == "warning"
    assert f"ip4:{ADDRESS}" in outcome.mend.vi


async def test_notices_that_are_off_or_not_signed(tmp_path: Path) -> None:
    async with world(tmp_path, notice={"enabled": False}) as seen:
        assert await results(seen, "notice.spf") == ["skipped"]
        assert await results(seen, "notice.dkim") == ["skipped"]
    async with world(tmp_path / "2") as seen:
        assert await results(seen, "notice.dkim") == ["warning"]


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_the_published_key_is_that_of_our_private_key(tmp_path: Path, kind: str) -> None:
    key, other = (generate_private_key(65537, 2048) if kind == "rsa" else Ed25519PrivateKey.generate() for _ in "ab")
    file = tmp_path / "gw1.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    notice = {"dkim_selector": "gw1", "dkim_domain": OURS, "dkim_key": file}
    name = f"gw1._domainkey.{OURS}"
    published: dict[str, tuple[list[str], str, str]] = {
        "same": ([record_of(key.public_key())], "ok", kind),
        "another": ([record_of(other.public_key())], "error", "another key"),
        "none": ([], "error", "has no key"),
        "revoked": (["v=DKIM1; p="], "error", "revoked"),
        "two": ([record_of(key.public_key())] * 2 + ["v=DKIM1; p="], "error", "records"),
    }
    for place, (texts, expected, word) in published.items():
        async with world(tmp_path / place, GOOD_ZONE | {name: {"TXT": texts}}, notice=notice) as seen:
            [outcome] = await look(seen, "notice.dkim")
        assert outcome.result == expected, place
        assert word in outcome.found.en
        assert expected == "ok" or record_of(key.public_key()) in outcome.mend.en


async def test_broken_policies_skip_what_needs_them(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        lame = replace(seen, rules=None)
        assert await results(lame, "domains.mx") == ["skipped"]
        assert await results(lame, "doors.relay") == ["skipped"]
