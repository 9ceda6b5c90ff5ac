"""Dates and times in Vietnamese administrative form and in English."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gateway.responder.localtime import english_date, english_moment, vietnamese_date, vietnamese_moment
from tests.support.notices import HANOI


@pytest.mark.parametrize(
    ("day", "vi", "en"),
    [
        (date(2019, 5, 2), "02/5/2019", "2 May 2019"),
        (date(2013, 8, 8), "08/8/2013", "8 August 2013"),
        (date(2012, 5, 22), "22/5/2012", "22 May 2012"),
        (date(2027, 1, 4), "04/01/2027", "4 January 2027"),
        (date(2027, 2, 28), "28/02/2027", "28 February 2027"),
        (date(2026, 10, 10), "10/10/2026", "10 October 2026"),
    ],
)
def test_dates(day: date, vi: str, en: str) -> None:
    assert (vietnamese_date(day), english_date(day)) == (vi, en)


def test_the_local_day_is_told_not_the_day_in_utc() -> None:
    late = datetime(2026, 12, 31, 17, 4, 59, tzinfo=UTC)
    assert vietnamese_moment(late, HANOI) == "00 giờ 04 phút ngày 01/01/2027"
    assert english_moment(late, HANOI) == "00:04 on 1 January 2027 (UTC+07:00)"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        vietnamese_moment(datetime(2026, 11, 21), HANOI)  # noqa: DTZ001
