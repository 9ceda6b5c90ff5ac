"""Patterns of mailboxes, and the index that finds them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope.address import AddressError, parse_mailbox
from gateway.identity.pattern import Index, Kind, glob_matches, parse_pattern


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        ("VanThu@LongAn.edu.vn", Kind.ADDRESS, "vanthu@longan.edu.vn"),
        (" vanthu@longan.edu.vn ", Kind.ADDRESS, "vanthu@longan.edu.vn"),
        ('"van thu"@longan.edu.vn', Kind.ADDRESS, "van thu@longan.edu.vn"),
        ("a@sở.example", Kind.ADDRESS, "a@xn--s-lym.example"),
        ("*.Phong@longan.edu.vn", Kind.ADDRESS_PATTERN, "*.phong@longan.edu.vn"),
        ("vanthu**@longan.edu.vn", Kind.ADDRESS_PATTERN, "vanthu*@longan.edu.vn"),
        ("*@longan.edu.vn", Kind.ADDRESS_PATTERN, "*@longan.edu.vn"),
        ("LongAn.edu.vn", Kind.DOMAIN, "longan.edu.vn"),
        ("@longan.edu.vn", Kind.DOMAIN, "longan.edu.vn"),
        ("*.longan.edu.vn", Kind.SUBDOMAINS, "*.longan.edu.vn"),
    ],
)
def test_parse(text: str, kind: Kind, key: str) -> None:
    pattern = parse_pattern(text)
    assert (pattern.kind, pattern.key) == (kind, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "vn",
        "*",
        "*.",
        "*.vn",
        "a@",
        "a@b",
        "a@*.longan.edu.vn",
        "*@*",
        "a b@x.vn",
        "a@b@x.vn",
        "x*@",
        "*.*.vn",
        "a..b@x.vn",
        "long an.edu.vn",
        "<a@x.vn>",
        "*<x>@x.vn",
        "@*.longan.edu.vn",
        "a@x.vn\r\nb",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_pattern(text)


@pytest.mark.parametrize(
    "text", ["a@x-.vn", "a@-x.vn", "a.@x.vn", "a@x..vn", "a@x.vn.", "a.b.c@x.vn", "a-b@x-y.vn", "a@1.vn"]
)
def test_the_quick_way_for_plain_addresses_agrees_with_the_grammar(text: str) -> None:
    try:
        expected = parse_mailbox(text).key
    except AddressError:
        with pytest.raises(AddressError):
            parse_pattern(text)
    else:
        assert parse_pattern(text).key == expected


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*.phong", "ktqlcl.phong", True),
        ("*.phong", ".phong", True),
        ("*.phong", "phong", False),
        ("*.phong", "a.phong.b", False),
        ("vanthu*", "vanthu", True),
        ("vanthu*", "xvanthu", False),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "acb", False),
        ("aa*aa", "aaa", False),
        ("*", "", True),
        ("a.c", "abc", False),
        ("*" + "a*" * 30 + "b", "a" * 60, False),
    ],
)
def test_glob(pattern: str, text: str, matches: bool) -> None:
    assert glob_matches(pattern, text) is matches


def test_precedence_address_pattern_domain_and_longest_wildcard() -> None:
    index: Index[str] = Index()
    order = ["a.phong@x.y.vn", "*a.phong@x.y.vn", "*.phong@x.y.vn", "*@x.y.vn", "x.y.vn", "*.y.vn"]
    for text in reversed(order):
        index.add(parse_pattern(text), text)
    assert list(index.find(parse_mailbox("A.phong@X.y.vn"))) == order
    assert list(index.find(parse_mailbox("q@deep.x.y.vn"))) == ["*.y.vn"]


def test_wildcards_compare_labels_and_leave_the_domain_itself_out() -> None:
    pattern = parse_pattern("*.longan.edu.vn")
    for mailbox, matches in (("a@b.longan.edu.vn", True), ("a@longan.edu.vn", False), ("a@daihoclongan.edu.vn", False)):
        index: Index[int] = Index()
        index.add(pattern, 1)
        assert pattern.matches(parse_mailbox(mailbox)) is matches
        assert bool(list(index.find(parse_mailbox(mailbox)))) is matches


NAMES = st.lists(st.sampled_from(["vn", "edu", "a"]), min_size=2, max_size=5).map(".".join)
LOCALS = st.sampled_from(["a", "b", "b.phong"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(NAMES, NAMES.map("*.{}".format), st.builds("{}@{}".format, LOCALS | st.just("*"), NAMES)), max_size=8
    ),
    st.builds("{}@{}".format, LOCALS, NAMES),
)
def test_an_index_finds_what_each_pattern_matches_the_most_exact_first(texts: list[str], mailbox: str) -> None:
    index: Index[str] = Index()
    for text in texts:
        index.add(parse_pattern(text), text)
    who = parse_mailbox(mailbox)
    fitting = [pattern for text in texts if (pattern := parse_pattern(text)).matches(who)]
    fitting.sort(key=lambda pattern: (pattern.kind, -len(pattern.key)))
    assert list(index.find(who)) == [pattern.key for pattern in fitting]
    whole = [pattern.key for pattern in fitting if pattern.kind in (Kind.DOMAIN, Kind.SUBDOMAINS)]
    assert list(index.find_domain(who.domain)) == whole
