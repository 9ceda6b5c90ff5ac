"""Levels of identity: signed, authorized, shared, claimed (DESIGN §3; safety S-17, S-29, S-32)."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity import identify as identifying
from gateway.identity.identity import Identity, Level, Provider
from tests.support.identity_samples import TODAY, dkim, grounds, identified, result, spf

SELF = "moet.edu.vn _spf.moet.edu.vn"
CLOUD = "moet.edu.vn _spf.google.com _netblocks.google.com"
DASHED = "moet-edu-vn.20230601.gappssmtp.com"
TENANT = "moetvn.onmicrosoft.com"
SENDER = "Văn thư <c3tanan.longan@moet.edu.vn>"
VIA_SELF = {"spf_mailfrom": spf("pass", "moet.edu.vn", via=SELF), "aligned_spf": "moet.edu.vn"}
VIA_CLOUD = {"spf_mailfrom": spf("pass", "moet.edu.vn", via=CLOUD), "aligned_spf": "moet.edu.vn"}


def level(identity: Identity) -> tuple[Level, bool]:
    return identity.level, identity.level_pending


def test_signed_by_an_aligned_signature_even_without_spf() -> None:
    identity = identified(SENDER, dkim=(dkim("pass", "moet.edu.vn"),), aligned_dkim=("moet.edu.vn",))
    assert level(identity) == (Level.SIGNED, False)
    assert "moet.edu.vn" in identity.level_reason
    assert identity.unit is not None
    assert identity.unit.name == "Trường THPT Tân An"
    assert identity.holding is not None
    assert identity.holding.function == "Văn thư"
    assert (identity.provider, identity.author_name) == (Provider.OFFICIAL, "Văn thư")


def test_authorized_by_spf_through_a_host_of_its_own() -> None:
    assert level(identified(SENDER, **VIA_SELF)) == (Level.AUTHORIZED, False)


def test_shared_by_spf_through_a_cloud_that_every_tenant_passes_by() -> None:
    identity = identified(SENDER, **VIA_CLOUD)
    assert level(identity) == (Level.SHARED, False)
    assert "_spf.google.com" in identity.level_reason
    assert identity.unit is not None


@pytest.mark.parametrize("mechanism", ["include:spf.protection.outlook.com", "include:EU.spf.protection.outlook.com"])
def test_shared_when_the_mechanism_names_the_cloud(mechanism: str) -> None:
    record = spf("pass", "moet.edu.vn", via="moet.edu.vn", mechanism=mechanism)
    assert identified(SENDER, spf_mailfrom=record, aligned_spf="moet.edu.vn").level is Level.SHARED


def test_a_name_that_only_ends_like_the_cloud_is_not_the_cloud() -> None:
    record = spf("pass", "moet.edu.vn", via="moet.edu.vn my_spf.google.com")
    assert identified(SENDER, spf_mailfrom=record, aligned_spf="moet.edu.vn").level is Level.AUTHORIZED


def test_spf_that_everybody_passes_proves_nothing() -> None:
    record = spf("pass", "moet.edu.vn", via="moet.edu.vn", mechanism="+all")
    identity = identified(SENDER, spf_mailfrom=record, aligned_spf="moet.edu.vn")
    assert identity.level is Level.CLAIMED
    assert "every host" in identity.level_reason


def test_fails_closed_when_the_records_walked_are_not_known() -> None:
    record = spf("pass", "moet.edu.vn")
    assert identified(SENDER, spf_mailfrom=record, aligned_spf="moet.edu.vn").level is Level.SHARED


def test_claimed_when_nothing_is_aligned() -> None:
    parts = {"spf_mailfrom": spf("pass", "evil.example", via="evil.example"), "dkim": (dkim("pass", "evil.example"),)}
    identity = identified(SENDER, **parts)
    assert level(identity) == (Level.CLAIMED, False)
    assert identity.unit is not None  # named, and not proven
    assert not identity.level.is_proven


def test_trusted_signer_makes_authorized_for_its_author_domain_only() -> None:
    policy = grounds(trusted_signers={"moet.edu.vn": (DASHED,)})
    signed = {"dkim": (dkim("pass", DASHED),)}
    assert identified(SENDER, policy=policy, **signed, **VIA_CLOUD).level is Level.AUTHORIZED
    assert identified("vanthu@longan.edu.vn", policy=policy, **signed).level is Level.CLAIMED
    assert identified("a@x.moet.edu.vn", policy=policy, **signed).level is Level.CLAIMED
    for broken in (dkim("fail", DASHED), dkim("pass", DASHED, partial="yes"), dkim("pass", "x." + DASHED)):
        assert identified(SENDER, policy=policy, dkim=(broken,)).level is Level.CLAIMED


def test_unlisted_tenant_signature_is_a_reason_and_a_proposal() -> None:
    identity = identified(SENDER, dkim=(dkim("pass", DASHED),), **VIA_CLOUD)
    assert identity.level is Level.SHARED
    assert DASHED in identity.level_reason
    assert identity.proposals == (f"trusted_signers: {{ moet.edu.vn: [{DASHED}] }}",)
    assert identified(SENDER, dkim=(dkim("pass", TENANT),), **VIA_CLOUD).proposals == (
        f"trusted_signers: {{ moet.edu.vn: [{TENANT}] }}",
    )


@pytest.mark.parametrize(
    "sdid", ["evil-example.20230601.gappssmtp.com", "evil.onmicrosoft.com", "moet-edu-vn.evil.example"]
)
def test_a_forgers_tenant_is_never_proposed(sdid: str) -> None:
    identity = identified(SENDER, dkim=(dkim("pass", sdid),))
    assert identity.level is Level.CLAIMED
    assert identity.proposals == ()


def test_proposals_end_when_the_level_is_proven() -> None:
    assert identified(SENDER, dkim=(dkim("pass", DASHED),), **VIA_SELF).proposals == ()


def test_S32_a_trusted_sealer_lifts_claimed_to_shared_and_no_higher() -> None:
    assert identified(SENDER, arc=result("arc", "pass", sealer="google.com")).level is Level.SHARED
    assert identified(SENDER, arc=result("arc", "pass", sealer="evil.example")).level is Level.CLAIMED
    assert identified(SENDER, arc=result("arc", "pass", sealer="x.google.com")).level is Level.CLAIMED
    assert identified(SENDER, arc=result("arc", "fail", sealer="google.com")).level is Level.CLAIMED
    assert identified(SENDER, arc=result("arc", "none")).level is Level.CLAIMED
    assert identified(SENDER, arc=result("arc", "pass")).level is Level.CLAIMED  # covers too little to have a sealer


def test_S17_a_partial_signature_is_not_signed() -> None:
    assert identified(SENDER, dkim=(dkim("pass", "moet.edu.vn", partial="yes"),)).level is Level.CLAIMED


@pytest.mark.parametrize(
    ("sender", "also", "malformed"),
    [
        (SENDER, "Subject: again\r\n", ()),
        (SENDER, "", ("unsigned Content-Type",)),
        ('"vanthu@longan.edu.vn" <c3tanan.longan@moet.edu.vn>', "", ()),
        (SENDER, "Content-Type: text/plain" + ";a=b" * 200 + "\r\n", ()),
    ],
)
def test_S29_malformed_proves_nobody_though_everything_passes(
    sender: str, also: str, malformed: tuple[str, ...]
) -> None:
    proofs = {"dkim": (dkim("pass", "moet.edu.vn"),), "aligned_dkim": ("moet.edu.vn",), **VIA_SELF}
    identity = identified(sender, also=also, malformed=malformed, **proofs)
    assert level(identity) == (Level.CLAIMED, False)
    assert identity.level_reason.startswith("malformed: ")


def test_S29_without_a_single_author_there_is_no_unit_and_no_provider() -> None:
    identity = identified("a@gmail.com, c3tanan.longan@moet.edu.vn", **VIA_SELF)
    assert (identity.author, identity.unit, identity.provider) == (None, None, Provider.UNKNOWN)
    assert "2 mailboxes" in identity.level_reason


def test_gmail_is_signed_and_free_at_once_and_still_named() -> None:
    identity = identified("thpttanan.longan@gmail.com", dkim=(dkim("pass", "gmail.com"),), aligned_dkim=("gmail.com",))
    assert (identity.level, identity.provider) == (Level.SIGNED, Provider.FREE)
    assert identity.unit is not None
    assert identity.unit.id == "thpt-tan-an"


def test_one_units_domain_does_not_prove_another_units_mailbox() -> None:
    """Alignment looks at the organizational domain only: a school's own key is aligned with the department's domain."""
    school = "thpttanan.longan.edu.vn"
    key = {"dkim": (dkim("pass", school),), "aligned_dkim": (school,)}
    assert identified("vanthu@longan.edu.vn", **key).level is Level.CLAIMED
    assert identified("a@thptlequydon.longan.edu.vn", **key).level is Level.CLAIMED
    assert identified(f"a@{school}", **key).level is Level.SIGNED
    host = {"spf_mailfrom": spf("pass", school, via=school), "aligned_spf": school}
    assert identified("vanthu@longan.edu.vn", **host).level is Level.CLAIMED
    assert identified(f"a@{school}", **host).level is Level.AUTHORIZED


def test_the_departments_key_proves_its_own_divisions_and_schools() -> None:
    key = {"dkim": (dkim("pass", "longan.edu.vn"),), "aligned_dkim": ("longan.edu.vn",)}
    assert identified("a@thpttanan.longan.edu.vn", **key).level is Level.SIGNED
    assert identified("ktqlcl.phong@longan.edu.vn", **key).level is Level.SIGNED
    technical = {"dkim": (dkim("pass", "mail.longan.edu.vn"),), "aligned_dkim": ("mail.longan.edu.vn",)}
    assert identified("ktqlcl.phong@longan.edu.vn", **technical).level is Level.SIGNED


ORG = result("dmarc", "none", organizational_domain="moet.edu.vn")


@pytest.mark.parametrize(
    ("parts", "pending"),
    [
        ({"dkim": (dkim("temperror", "moet.edu.vn"),)}, True),
        ({"dkim": (dkim("temperror", "mail.moet.edu.vn"),), "dmarc": ORG}, True),
        ({"dkim": (dkim("temperror", "evil.example"),)}, False),
        ({"dkim": (dkim("temperror", "evil.edu.vn"),), "dmarc": ORG}, False),
        ({"dkim": (dkim("temperror", "moet.edu.vn"),), **VIA_SELF}, True),
        ({"dkim": (dkim("permerror", "moet.edu.vn"),)}, False),
        ({"spf_mailfrom": spf("temperror", "moet.edu.vn")}, True),
        ({"spf_mailfrom": spf("temperror", "evil.example")}, False),
        ({"dmarc": result("dmarc", "temperror"), "dkim": (dkim("pass", "mail.moet.edu.vn"),)}, True),
        ({"dmarc": result("dmarc", "temperror"), "dkim": (dkim("pass", "evil.example"),)}, False),
        ({"arc": result("arc", "temperror", sealer="google.com")}, True),
        ({"arc": result("arc", "temperror")}, True),
        ({"arc": result("arc", "temperror", sealer="evil.example")}, False),
        ({"arc": result("arc", "temperror", sealer="google.com"), **VIA_CLOUD}, False),
        ({}, False),
    ],
)
def test_pending_only_where_an_answer_could_raise_the_level(parts: dict[str, object], pending: bool) -> None:
    assert identified(SENDER, **parts).level_pending is pending


def test_a_signed_message_waits_for_nothing() -> None:
    parts = {"dkim": (dkim("pass", "moet.edu.vn"), dkim("temperror", "moet.edu.vn")), "aligned_dkim": ("moet.edu.vn",)}
    assert level(identified(SENDER, **parts)) == (Level.SIGNED, False)


def test_a_trusted_signers_temperror_is_waited_for() -> None:
    policy = grounds(trusted_signers={"moet.edu.vn": (DASHED,)})
    assert identified(SENDER, policy=policy, dkim=(dkim("temperror", DASHED),)).level_pending
    assert not identified(SENDER, dkim=(dkim("temperror", DASHED),)).level_pending


DOMAINS = ("moet.edu.vn", "longan.edu.vn", "thpttanan.longan.edu.vn", "thptlequydon.longan.edu.vn")
SENDERS = (SENDER, "Lan <c3tanan.longan@moet.edu.vn>", "<a@thpttanan.longan.edu.vn>", "vanthu@longan.edu.vn", "x, y")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SENDERS),
            st.lists(st.sampled_from(DOMAINS), max_size=2).map(tuple),
            st.sampled_from([{}, VIA_SELF, VIA_CLOUD]),
            st.sampled_from([(), ("broken",)]),
            st.sampled_from([TODAY, date(2030, 1, 1)]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_who_is_known_is_identified_as_if_seen_for_the_first_time(
    many: list[tuple[str, tuple[str, ...], dict[str, object], tuple[str, ...], date]],
) -> None:
    shared = grounds()
    for sender, signers, by_spf, malformed, day in many * 2:
        parts = {"aligned_dkim": signers, "dkim": tuple(dkim("pass", one) for one in signers), "malformed": malformed}
        fresh = identified(sender, on=day, **parts, **by_spf)
        assert identified(sender, on=day, policy=shared, **parts, **by_spf) == fresh


def test_who_is_known_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifying, "KNOWN_MAX", 8)
    shared = grounds()
    for number in range(30):
        identified(f"<u{number}@longan.edu.vn>", policy=shared, aligned_dkim=("longan.edu.vn",))
        assert 0 < len(shared.signed) <= 8
    shared.signed.clear()
    identified(f"{'x' * 300} <a@longan.edu.vn>", policy=shared, aligned_dkim=("longan.edu.vn",))
    assert not shared.signed
