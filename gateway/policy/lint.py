"""What policy.yaml refers to and does not have, and what contradicts itself; every finding with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from gateway.envelope.address import AddressError, is_under, parse_domain
from gateway.policy.directive import Directive
from gateway.policy.errors import near
from gateway.policy.patterns import domain_matches
from gateway.policy.places import Document, Path
from gateway.policy.problem import Problem
from gateway.policy.schema import PolicyModel, RouteModel


class _Anything(Collection[str]):
    """Holds whatever is asked for: of a file that cannot be read nobody knows what is not in it."""

    def __contains__(self, _: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


ANYTHING: Final = _Anything()


@dataclass(frozen=True, slots=True)
class Known:
    """What the other files of the set hold, and the day on which it is all read."""

    units: Collection[str]  # ids
    unit_kinds: Collection[str]
    directives: Collection[str]  # ids, those of files with errors too
    templates: Collection[str]
    today: date


def lint_policy(model: PolicyModel, document: Document) -> Iterator[Problem]:
    """Problems of everything but the rules."""
    yield from _timezone(model, document)
    yield from _domains(document, ("own_domains",), model.own_domains)
    yield from _domains(document, ("official_domains",), tuple(f"{domain}" for domain in model.official_domains))
    for name, route in model.routes.items():
        yield from _route(document, name, route)
    for domain in model.trusted_signers:
        path: Path = ("trusted_signers", domain)
        try:
            parse_domain(domain)
        except AddressError:
            yield document.problem(
                path, domain, f"'{domain}' is not a domain name", f"'{domain}' không phải tên miền", key=True
            )
    for i, pattern in enumerate(model.administrative.mailboxes):
        if not is_ours(pattern, model.own_domains):
            yield document.warning(
                ("administrative", "mailboxes", i), pattern,
                f"'{pattern}' is not in own_domains: no mail for it is accepted here",
                f"'{pattern}' không thuộc own_domains: cổng thư không nhận thư cho địa chỉ này",
            )  # fmt: skip


def _timezone(model: PolicyModel, document: Document) -> Iterator[Problem]:
    try:
        ZoneInfo(model.timezone)
    except (KeyError, ValueError, OSError):  # OSError: a directory name such as "Asia"
        yield document.problem(
            ("timezone",),
            model.timezone,
            f"unknown time zone '{model.timezone}'; example: Asia/Ho_Chi_Minh",
            f"không có múi giờ '{model.timezone}'; ví dụ: Asia/Ho_Chi_Minh",
        )


def _domains(document: Document, path: Path, domains: tuple[str, ...]) -> Iterator[Problem]:
    """Duplicates, and domains that another line already covers."""
    wide = path == ("official_domains",)  # there, each domain stands for everything below it too
    for i, domain in enumerate(domains):
        for j, other in enumerate(domains):
            bare = domain.removeprefix("*.")
            covered = is_under(bare, other) if wide else other.startswith("*.") and domain_matches(other, bare)
            if (domain == other and j < i) or (domain != other and covered):
                yield document.warning(
                    (*path, i),
                    domain,
                    f"'{domain}' is already covered by '{other}': remove one",
                    f"'{domain}' đã nằm trong '{other}': hãy bỏ bớt một dòng",
                )
                break


def _route(document: Document, name: str, route: RouteModel) -> Iterator[Problem]:
    path: Path = ("routes", name)
    if route.protocol == "maildir":
        if not route.path:
            yield document.problem(
                path, name, f"route '{name}': a maildir needs 'path'", f"tuyến '{name}': maildir cần có 'path'"
            )
        if route.path.startswith("/") or ".." in route.path.split("/"):
            yield document.problem(
                (*path, "path"),
                route.path,
                "the path must stay inside the state directory",
                "đường dẫn phải nằm trong thư mục trạng thái",
            )
    elif not route.host:
        yield document.problem(
            path,
            name,
            f"route '{name}': {route.protocol} needs 'host'",
            f"tuyến '{name}': {route.protocol} cần có 'host'",
        )


def is_ours(pattern: str, own_domains: Collection[str]) -> bool:
    """Whether mail for this pattern can be accepted at all."""
    domain = pattern.rpartition("@")[2]
    bare = domain.removeprefix("*.")
    return any(
        domain_matches(own, bare)
        or own.removeprefix("*.") == bare
        or (domain.startswith("*.") and is_under(own.removeprefix("*."), bare))
        for own in own_domains
    )


def lint_directives(
    directives: Mapping[str, Directive], documents: Mapping[str, Document], known: Known
) -> Iterator[Problem]:
    for identifier, directive in directives.items():
        for i, name in enumerate(directive.templates):
            if name not in known.templates:
                en, vi = near(name, known.templates)
                yield documents[identifier].problem(
                    ("templates", i), name, f"no file templates/{name}.j2{en}", f"không có tệp templates/{name}.j2{vi}"
                )
