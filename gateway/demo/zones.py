"""DNS of the demonstration: who may send for which domain, and the sending hosts themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from gateway.demo.dns import SILENT, Script, ZoneData
from gateway.demo.keys import Key
from gateway.evidence.zone import Record


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that sends mail; the address is of a range set aside for documentation (RFC 5737, RFC 3849)."""

    name: str
    address: str


MOET: Final = Host("mail.moet.edu.vn", "203.0.113.10")
LONGAN: Final = Host("smtp.longan.edu.vn", "203.0.113.25")
DUC_HOA: Final = Host("mail.pgdduchoa.longan.edu.vn", "203.0.113.120")
CAN_DUOC: Final = Host("mail.pgdcanduoc.longan.edu.vn", "2001:db8:17::25")
GOOGLE: Final = Host("mail-vk1-f41.google.com", "198.51.100.41")
LISTS: Final = Host("lists.example.org", "192.0.2.80")
COLLEGE: Final = Host("mail.daihoclongan.edu.vn", "203.0.113.90")
STRANGER: Final = Host("vps-66.example.net", "192.0.2.66")
HOSTS: Final = (MOET, LONGAN, DUC_HOA, CAN_DUOC, GOOGLE, LISTS, COLLEGE, STRANGER)

_TEXTS: Final = {
    "moet.edu.vn": f"v=spf1 ip4:{MOET.address} include:_spf.google.com ~all",
    "_dmarc.moet.edu.vn": "v=DMARC1; p=none",
    "longan.edu.vn": f"v=spf1 ip4:{LONGAN.address} -all",
    "_dmarc.longan.edu.vn": "v=DMARC1; p=quarantine",
    "pgdduchoa.longan.edu.vn": f"v=spf1 ip4:{DUC_HOA.address} -all",
    "gmail.com": "v=spf1 redirect=_spf.google.com",
    "_spf.google.com": "v=spf1 ip4:198.51.100.0/26 ~all",
    "_dmarc.gmail.com": "v=DMARC1; p=none; sp=quarantine",
    "lists.example.org": f"v=spf1 ip4:{LISTS.address} -all",
    "daihoclongan.edu.vn": f"v=spf1 ip4:{COLLEGE.address} -all",
    "_dmarc.daihoclongan.edu.vn": "v=DMARC1; p=reject",
}

Names = dict[str, dict[str, list[Record]]]


def zones(keys: Iterable[Key]) -> Names:
    """All names with their records."""
    names: Names = {name: {"TXT": [text]} for name, text in _TEXTS.items()}
    names["longan.edu.vn"]["MX"] = [(10, "mx.longan.edu.vn")]
    names["pgdcanduoc.longan.edu.vn"] = {"MX": [(10, "mx.longan.edu.vn")]}
    for key in keys:
        names[key.name] = {"TXT": [key.record]}
    for host in HOSTS:
        address = ip_address(host.address)
        names.setdefault(host.name, {})["A" if address.version == 4 else "AAAA"] = [host.address]
        names[address.reverse_pointer] = {"PTR": [host.name]}
    return names


def silenced(names: Names, silent: Collection[str]) -> ZoneData:
    """The same, but questions for the silent names get no answer at all."""
    data: dict[str, Mapping[str, list[Record] | Script]] = dict(names)
    for name in silent:
        data[name] = dict.fromkeys(names[name], SILENT)
    return data


def plain(names: Names) -> dict[str, dict[str, list[str]]]:
    """In the form that `gateway explain --zone` reads."""
    return {
        name: {kind: [_text(record) for record in records] for kind, records in kinds.items()}
        for name, kinds in names.items()
    }


def _text(record: Record) -> str:
    if isinstance(record, tuple):
        return f"{record[0]} {record[1]}"
    return record.decode("ascii") if isinstance(record, bytes) else record
