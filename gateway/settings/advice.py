"""What may be meant and is dangerous all the same: told by `gateway check` and at every start, and refused by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from gateway.settings.listen import Address, parse_listen
from gateway.settings.models import MilterSettings, Settings
from gateway.settings.sentence import Sentence

USUAL: Final = 10_240_000  # octets: Postfix's message_size_limit, where main.cf does not set it
LARGE: Final = 1024**3  # octets
WIDEST: Final = {4: 8, 6: 16}  # shortest prefix of a network that one organisation has

_OPEN: Final = Sentence(
    "{address} can be reached from other hosts, and whoever reaches it speaks as your mail server; use a Unix"
    " socket or 127.0.0.1, or let a firewall keep out all but the mail server",
    "máy khác có thể kết nối tới {address}, và ai kết nối được đều có thể mạo nhận là máy chủ thư của đơn vị; hãy dùng"
    " Unix socket hoặc 127.0.0.1, hoặc dùng tường lửa chỉ cho phép máy chủ thư kết nối",
)
_STRANGERS: Final = Sentence(
    "{network} holds strangers, and their mail would pass unseen; name your own networks",
    "{network} gồm cả máy của người ngoài, thư của họ sẽ đi qua mà không được xét; hãy chỉ ghi mạng của đơn vị",
)
_SMALL: Final = Sentence(
    "{size} octets are less than Postfix takes by default ({usual}), and mail in between is refused;"
    " write no less than the mail server's own limit (message_size_limit, confMAX_MESSAGE_SIZE)",
    "{size} byte nhỏ hơn mức mặc định của Postfix ({usual}), thư có kích thước ở giữa hai mức sẽ bị từ chối; hãy viết"
    " không nhỏ hơn giới hạn của chính máy chủ thư (message_size_limit, confMAX_MESSAGE_SIZE)",
)
_LARGE: Final = Sentence(
    "{size} octets: mail is deferred while the disk has less than one and a half times that free;"
    " write the mail server's own limit (message_size_limit, confMAX_MESSAGE_SIZE)",
    "{size} byte: khi ổ đĩa còn trống dưới một lần rưỡi mức này, thư bị hoãn nhận; hãy viết đúng giới hạn của máy chủ"
    " thư (message_size_limit, confMAX_MESSAGE_SIZE)",
)


def advice(settings: Settings) -> list[Sentence]:
    """Sentences that begin with a key."""
    if not settings.milter.listen:
        return []
    return [
        Sentence("{key}: {said}", "{key}: {said}").filled(key=f"milter.{key}", said=said)
        for key, said in _milter(settings.milter)
    ]


def _milter(milter: MilterSettings) -> Iterator[tuple[str, Sentence]]:
    for text in milter.listen:
        if text and _is_open(parse_listen(text)):
            yield "listen", _OPEN.filled(address=text)
    for network in milter.internal:
        if network.prefixlen < WIDEST[network.version]:
            yield "internal", _STRANGERS.filled(network=network)
    if milter.max_size < USUAL:
        yield "max_size", _SMALL.filled(size=int(milter.max_size), usual=USUAL)
    elif milter.max_size > LARGE:
        yield "max_size", _LARGE.filled(size=int(milter.max_size))


def _is_open(address: Address) -> bool:
    """Whether others than programs of this host can connect."""
    if address.path or address.host == "localhost":
        return False
    try:
        return not ip_address(address.host).is_loopback
    except ValueError:  # a name: who knows where it leads
        return True
