"""The register: what was sent, and who has not sent."""

from __future__ import annotations

from datetime import timedelta

from gateway.register.search import RecordFilter, UnitTally
from tests.support.store_samples import NOW, record, settlement

UNTIL = NOW + timedelta(days=30)


async def add(store, **changes):
    one = record(**changes)
    await store.settle(settlement(one))
    return one.id


async def test_search_finds_by_each_condition_and_not_by_others(store):
    one = await add(store)
    two = await add(
        store,
        received_at=NOW + timedelta(days=1),
        unit_id="thpt-tan-tru",
        unit_name="Trường THPT Tân Trụ",
        author="Tran.Thi.Bay@gmail.com",
        author_name="Trần Thị Bảy",
        provider="free-provider",
        level="claimed",
        subject="Tờ trình xin kinh phí 100%",
        document_numbers=("1123/TTr-THPTTT", "7/CV"),
        document_kind="TTr",
        administrative=False,
        attachments=(),
    )

    async def ids(**wanted):
        return [r.id for r in await store.search(RecordFilter(**wanted))]

    assert await ids() == [two, one]
    assert await ids(limit=1) == [two]
    assert await ids(unit_id="thpt-tan-tru") == [two]
    assert await ids(since=NOW + timedelta(days=1)) == [two]
    assert await ids(until=NOW + timedelta(days=1)) == [one]
    assert await ids(words="BAO cao so ket") == [one]
    assert await ids(words="kinh phí 100%") == [two]
    assert await ids(words="bao cao kinh phi") == []
    assert await ids(words="hk1.PDF") == [one]
    assert await ids(document_number="123/BC") == [one]
    assert await ids(document_number="1123/ttr-thpttt") == [two]
    assert await ids(document_number="7/cv") == [two]
    assert await ids(document_kind="TTr") == [two]
    assert await ids(level="signed") == [one]
    assert await ids(provider="free-provider") == [two]
    assert await ids(author="tran.thi.bay@GMAIL.com") == [two]
    assert await ids(administrative=True) == [one]
    assert await ids(administrative=False) == [two]
    assert (await store.show(one)).id == one
    assert await store.show("7K2M-0000-NONE") is None


async def test_who_has_sent_names_the_units_that_have_not(store):
    await add(store)
    last = NOW + timedelta(days=2)
    await add(store, received_at=last, fates=(("vanthu@longan.edu.vn", "held", "r"),), provider="free-provider")
    await add(store, received_at=UNTIL)  # after the period
    await add(store, unit_id="", provider="other")
    units = ["mn-hoa-sen", "thcs-tan-an"]
    assert await store.who_has_sent(units, NOW, UNTIL) == [
        UnitTally(unit_id="mn-hoa-sen"),
        UnitTally(unit_id="thcs-tan-an", official=1, free=1, held=1, total=2, last=last),
    ]
    none, some = await store.who_has_sent(units, NOW, UNTIL, administrative=True)
    assert (none.has_sent, some.has_sent) == (False, True)
    assert not (await store.who_has_sent(["thcs-tan-an"], NOW, UNTIL, administrative=False))[0].has_sent
