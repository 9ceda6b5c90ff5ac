"""Dates and times as Vietnamese offices and English readers write them. Pure: the zone is an argument."""

from __future__ import annotations

from datetime import date, datetime, tzinfo

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


def vietnamese_date(day: date) -> str:
    """`02/5/2019`: a zero before days under 10 and before months 1 and 2 only (Nghị định 30/2020/NĐ-CP, annex I)."""
    month = f"{day.month:02}" if day.month <= 2 else str(day.month)
    return f"{day.day:02}/{month}/{day.year}"


def vietnamese_moment(moment: datetime, zone: tzinfo) -> str:
    """`14 giờ 05 phút ngày 21/11/2026`, in the zone's time. `moment` must be aware."""
    local = _local(moment, zone)
    return f"{local.hour:02} giờ {local.minute:02} phút ngày {vietnamese_date(local.date())}"


def english_date(day: date) -> str:
    """`2 May 2019`."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def english_moment(moment: datetime, zone: tzinfo) -> str:
    """`14:05 on 21 November 2026 (UTC+07:00)`, in the zone's time. `moment` must be aware."""
    local = _local(moment, zone)
    offset = local.strftime("%z")
    return f"{local:%H:%M} on {english_date(local.date())} (UTC{offset[:3]}:{offset[3:5]})"


def _local(moment: datetime, zone: tzinfo) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(zone)
