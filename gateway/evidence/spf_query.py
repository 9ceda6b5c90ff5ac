"""pyspf driven by a zone instead of a network, and corrected at its edges (RFC 7208)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import spf

from gateway.evidence.names import NAME_MAX, is_askable
from gateway.evidence.zone import Question, QuestionType, Zone

_spf: Any = spf  # untyped
if TYPE_CHECKING:
    _Query = Any
else:
    _Query = spf.query

QUERIES_MAX = 60  # of one check; the limits of RFC 7208 §4.6.4 alone would allow 123 (safety S-19)
PREFETCH_MAX = 10  # terms of one record that are asked for together

CACHED = 4096  # terms, networks and addresses of records that are remembered as read

_TERM = re.compile(
    r"[-+?~]?(include:|redirect=|exists:|a:|mx:|a(?=/|\Z)|mx(?=/|\Z))([^/%]*)(?:/[\d/]*)?\Z", re.IGNORECASE
)
_MACRO = re.compile(r"%(?:[%_-]|\{[slodiphcrtv](?:0*[1-9][0-9]*)?r?[.+,/_=-]*\})", re.IGNORECASE)  # RFC 7208 §7.1
_TERM_TYPES: dict[str, QuestionType] = {"include": "TXT", "redirect": "TXT", "exists": "A", "mx": "MX"}


class Missing(Exception):
    """The zone has no answer yet; the question is noted there."""


class Query(_Query):  # type: ignore[misc]
    """One evaluation of check_host().

    `walk` names the records walked from the first to the one that decided, through include and redirect. `exp` is the
    explanation's domain-spec, expanded, with the domain it stood in: it is fetched by explanation() for a fail only.
    """

    def __init__(
        self, zone: Zone, address: IPv4Address | IPv6Address, sender: str, helo: str, receiver: str, now: int
    ) -> None:
        super().__init__(i=address, s=sender, h=helo, receiver=receiver or "unknown", strict=True)
        local, _, domain = sender.rpartition("@")  # pyspf splits at the first "@", which may be a quoted one
        self.l, self.o = local or "postmaster", domain.removesuffix(".")
        self.d = self.o
        self.t = str(now)
        self.zone = zone
        self.asked: set[Question] = set()
        self.walk: list[str] = []
        self.exp: tuple[str, str] | None = None
        self._records: list[tuple[str, str]] = []
        self._recursion = 0

    def set_ip(self, address: IPv4Address | IPv6Address) -> None:
        """The client, and the values of the macros c, i and v; pyspf would read it from text once more."""
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        self.A: QuestionType
        self.iplist = False
        self.ipaddr = address
        self.c = str(address)
        if isinstance(address, IPv6Address):
            self.A, self.v, self.cidrmax = "AAAA", "ip6", 128
            self.i = ".".join(address.exploded.replace(":", "").upper())
        else:
            self.A, self.v, self.cidrmax = "A", "in-addr", 32
            self.i = self.c

    # ---- answers ----------------------------------------------------------------------------------------------------

    def dns(self, name: str, qtype: QuestionType, cnames: Any = None, ignore_void: bool = False) -> list[Any]:
        """The records of a name, as pyspf wants them. Raises Missing, spf.TempError, spf.PermError."""
        name = _shortened(str(name).rstrip(".").lower())
        if not name.isascii():
            return []  # terms with such a local-part match nothing (RFC 8616 §4)
        answer = None
        if is_askable(name):
            question = Question(name, qtype)
            self.asked.add(question)
            if len(self.asked) > QUERIES_MAX:
                raise _spf.PermError(f"more than {QUERIES_MAX} DNS queries")
            answer = self.zone.get(question)
            if answer is None:
                self._prefetch()
                raise Missing(name)
            if answer.is_error:
                raise _spf.TempError(f"DNS {answer.reason or 'error'} for {name} {qtype}")
        records = _records(qtype, answer.records) if answer else []
        if not records and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise _spf.PermError(f"more than {spf.MAX_VOID_LOOKUPS} void look-ups")
        return records

    def _prefetch(self) -> None:
        """Ask for what the other terms of this record will want: fewer passes, at most ten questions more."""
        record, domain = self._records[-1] if self._records else ("", "")
        for term in record.split(" ")[1 : PREFETCH_MAX + 1]:
            match = _TERM.match(term)
            name = (match[2] or domain).rstrip(".").lower() if match else ""
            if match and is_askable(name):
                kind: QuestionType = _TERM_TYPES.get(match[1].lower().rstrip(":=")) or self.A
                self.zone.get(Question(name, kind))

    def dns_spf(self, domain: str) -> str | None:
        """The SPF record of a name; for one that a local-part made non-ASCII a record that matches nothing (RFC 8616 §4)."""
        record: str | None = super().dns_spf(domain) if domain.isascii() else "v=spf1"
        return record

    def dns_mx(self, domainname: str) -> list[str]:
        """Addresses of all MX hosts, asked for together. Raises spf.PermError for more than ten hosts."""
        hosts = self.dns(domainname, "MX")
        if len(hosts) > spf.MAX_MX:
            raise _spf.PermError(f"more than {spf.MAX_MX} MX records")
        names = [str(name) for _, name in sorted(hosts)]
        self._ask_ahead(names)
        return [address for name in names for address in self._addresses(name)]

    def _addresses(self, name: str) -> list[str]:
        """Addresses of a name that an answer gave: void look-ups are counted by terms (RFC 7208 §4.6.4), so not here."""
        return self.dns(name, self.A, ignore_void=True)

    def _ask_ahead(self, names: Any) -> None:
        for name in names:
            name = name.rstrip(".").lower()
            if is_askable(name):
                self.zone.get(Question(name, self.A))

    def validated_ptrs(self) -> list[str]:
        """Names of the client that lead back to it; DNS errors mean no match or skip one name (RFC 7208 §5.5)."""
        try:
            names = self.dns_ptr(self.i)[: spf.MAX_PTR]
        except spf.TempError:
            return []
        self._ask_ahead(names)
        valid = []
        for name in names:
            try:
                if self.cidrmatch(self._addresses(name), self.cidrmax):
                    valid.append(name)
            except spf.TempError:
                continue
        return valid

    def expand(self, text: str, stripdot: bool = True) -> str:
        """Macros expanded. pyspf reads %{d0} and %{dx} as %{d}, and overlooks an upper-case R. Raises spf.PermError."""
        if "%" in text:
            if "%" in _MACRO.sub("", text):
                raise _spf.PermError("macro syntax")
            text = _MACRO.sub(lambda macro: macro[0][:3] + macro[0][3:].lower(), text)
        expanded: str = super().expand(text, stripdot)
        return expanded

    def validate_mechanism(self, mech: str) -> tuple[str, str, str, int, str]:
        """Without macros a term means the same for every client of its kind, so it is read once."""
        if "%" in mech or "%" in self.d or len(mech) > NAME_MAX:
            term: tuple[str, str, str, int, str] = super().validate_mechanism(mech)
            return term
        return _validated(mech, self.d, self.v)

    def cidrmatch(self, ipaddrs: Iterable[str], n: int) -> bool:
        """Whether the client is in one of these networks of n bits. Raises spf.PermError."""
        try:
            networks = [_network(text, n) for text in ipaddrs]
        except ValueError as error:
            raise _spf.PermError(str(error)) from error
        return any(self.ipaddr in network for network in networks)

    # ---- what is walked ---------------------------------------------------------------------------------------------

    def check1(self, record: str, domain: str, recursion: int) -> tuple[str, int, str]:
        depth = len(self.walk)
        self.walk.append(domain)
        result: tuple[str, int, str] = super().check1(record, domain, recursion)
        if recursion and result[0] != "pass":
            del self.walk[depth:]
        return result

    def check0(self, record: str, recursion: int) -> tuple[str, int, str]:
        self._recursion = recursion
        if not recursion:
            self.exp = None  # a redirect forgets the modifiers of the record it stands in
        self._records.append((record or "", self.d))
        try:
            result: tuple[str, int, str] = super().check0(record, recursion)
        finally:
            self._records.pop()
        return result

    def get_explanation(self, spec: str) -> None:
        """Only note it: pyspf would fetch it for every check, also for a pass, and swallow what goes wrong."""
        if not self._recursion:
            self.exp = (spec, self.d)

    def explanation(self) -> str:
        """The text that exp= leads to (RFC 7208 §6.2), unsafe as it came; "" when there is none. Raises Missing."""
        if self.exp is None:
            return ""
        spec, self.d = self.exp
        try:
            texts = self.dns_txt(spec, ignore_void=True)
            return str(self.expand(_spf.to_ascii(texts[0]), stripdot=False)) if len(texts) == 1 else ""
        except (spf.PermError, spf.TempError):
            return ""


def _shortened(name: str) -> str:
    """An expanded name of more than 253 characters loses labels from the left (RFC 7208 §7.3)."""
    while len(name) > NAME_MAX and "." in name:
        name = name.partition(".")[2]
    return name


def _records(qtype: QuestionType, records: Any) -> list[Any]:
    """Records of the right kind only; addresses that cannot be read are left out, TXT comes as lists of strings."""
    if qtype == "TXT":
        return [[record] for record in records if isinstance(record, bytes)]
    if qtype == "MX":
        return [record for record in records if isinstance(record, tuple)]
    texts = [record for record in records if isinstance(record, str)]
    return texts if qtype == "PTR" else [text for text in texts if _is_address(text)]


@lru_cache(maxsize=CACHED)
def _validated(mech: str, domain: str, version: str) -> tuple[str, str, str, int, str]:
    """A term without macros, as it stands in the record of a domain: what pyspf gives. Raises spf.PermError."""
    query = _spf.query(i=_CLIENTS[version], s=f"postmaster@{domain}", h=domain, strict=True)
    term: tuple[str, str, str, int, str] = query.validate_mechanism(mech)
    return term


_CLIENTS = {"in-addr": "192.0.2.1", "ip6": "2001:db8::1"}  # any of their kind


@lru_cache(maxsize=CACHED)
def _network(text: str, bits: int) -> IPv4Network | IPv6Network:
    """The network of so many bits around an address. Raises ValueError."""
    return ip_network(text).supernet(new_prefix=bits)


@lru_cache(maxsize=CACHED)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
