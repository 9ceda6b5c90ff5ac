"""What may be meant and is dangerous all the same: told by `gateway check` and at every start, and refused by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from gateway.settings.listen import Address, parse_listen
from gateway.settings.models import MilterSettings, Settings

USUAL: Final = 10_240_000  # octets: Postfix's message_size_limit, where main.cf does not set it
LARGE: Final = 1024**3  # octets
WIDEST: Final = {4: 8, 6: 16}  # shortest prefix of a network that one organisation has


def advice(settings: Settings) -> list[str]:
    """Sentences that begin with a key."""
    return [f"milter.{key}: {sentence}" for key, sentence in _milter(settings.milter)] if settings.milter.listen else []


def _milter(milter: MilterSettings) -> Iterator[tuple[str, str]]:
    for text in milter.listen:
        if text and _is_open(parse_listen(text)):
            yield (
                "listen",
                f"{text} can be reached from other hosts, and whoever reaches it speaks as your mail server; use a Unix"
                " socket or 127.0.0.1, or let a firewall keep out all but the mail server",
            )
    for network in milter.internal:
        if network.prefixlen < WIDEST[network.version]:
            yield "internal", f"{network} holds strangers, and their mail would pass unseen; name your own networks"
    if milter.max_size < USUAL:
        yield (
            "max_size",
            f"{milter.max_size} octets are less than Postfix takes by default ({USUAL}), and mail in between is refused;"
            " write no less than the mail server's own limit (message_size_limit, confMAX_MESSAGE_SIZE)",
        )
    elif milter.max_size > LARGE:
        yield (
            "max_size",
            f"{milter.max_size} octets: mail is deferred while the disk has less than one and a half times that free;"
            " write the mail server's own limit (message_size_limit, confMAX_MESSAGE_SIZE)",
        )


def _is_open(address: Address) -> bool:
    """Whether others than programs of this host can connect."""
    if address.path or address.host == "localhost":
        return False
    try:
        return not ip_address(address.host).is_loopback
    except ValueError:  # a name: who knows where it leads
        return True
