"""Free, official, other."""

import pytest

from gateway.identity.identity import Provider
from gateway.identity.provider import FreeProviders, packaged, provider_of

OFFICIAL = ("moet.edu.vn", "longan.edu.vn")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("longan.edu.vn", Provider.OFFICIAL),
        ("thpttanan.longan.edu.vn", Provider.OFFICIAL),
        ("daihoclongan.edu.vn", Provider.OTHER),
        ("gmail.com", Provider.FREE),
        ("yahoo.com.vn", Provider.FREE),
        ("outlook.com", Provider.FREE),
        ("tuta.io", Provider.FREE),
        ("daum.net", Provider.FREE),
        ("hey.com", Provider.FREE),
        ("fpt.vn", Provider.FREE),
        ("viettel.vn", Provider.FREE),
        ("zalo.me", Provider.FREE),
        ("nus.edu.sg", Provider.OTHER),
        ("england.edu", Provider.OTHER),
        ("mail.gmail.com", Provider.OTHER),
        ("notgmail.com", Provider.OTHER),
        ("[192.0.2.1]", Provider.OTHER),
    ],
)
def test_provider(domain: str, expected: Provider) -> None:
    provider, reason = provider_of(domain, OFFICIAL, FreeProviders())
    assert provider is expected
    assert domain in reason


def test_policy_adds_and_removes() -> None:
    free = FreeProviders(frozenset({"thu.example"}), frozenset({"gmail.com"}))
    assert provider_of("thu.example", OFFICIAL, free) == (
        Provider.FREE,
        "thu.example is added in policies/free_providers.txt",
    )
    assert provider_of("gmail.com", OFFICIAL, free)[0] is Provider.OTHER


def test_an_official_domain_stays_official_whatever_the_lists_say() -> None:
    assert provider_of("gmail.com", ("gmail.com",), FreeProviders())[0] is Provider.OFFICIAL


def test_the_corrections_are_read() -> None:
    names = packaged()
    assert len(names) > 4_500
    assert all(name == name.strip().lower() and name[0] not in "+-#" for name in names)
