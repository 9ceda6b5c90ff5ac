"""Addresses of doors and of name servers, and the other words that a settings file can get wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from zoneinfo import ZoneInfo

from gateway.settings.sentence import Sentence

_HOST_PORT: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:]*)):(?P<port>\d{1,5})", re.ASCII)
_LONGEST_PATH: Final = 107  # unix(7)
_NO_ADDRESS: Final = Sentence(
    'not an address to listen at; write host:port, such as "127.0.0.1:2525" or "[::1]:2525",'
    ' or "unix:/run/gateway/milter.sock"',
    'không phải địa chỉ để nghe kết nối; hãy viết địa chỉ máy và cổng (port), chẳng hạn "127.0.0.1:2525" hoặc "[::1]:2525",'
    ' hoặc "unix:/run/gateway/milter.sock"',
)
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a door listens: a TCP host and port, or the absolute path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Address:
    """`127.0.0.1:2525`, `[::1]:2525`, `localhost:2525`, `unix:/run/gateway/smtp.sock`; raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise ValueError(
                Sentence(
                    "the path of a Unix socket is not absolute; write such as unix:/run/gateway/milter.sock",
                    "đường dẫn của Unix socket phải bắt đầu bằng /; hãy viết chẳng hạn unix:/run/gateway/milter.sock",
                )
            )
        if len(path.encode()) > _LONGEST_PATH:
            too_long = Sentence(
                "the path of a Unix socket may have {longest} octets; choose a shorter one",
                "đường dẫn của Unix socket chỉ được dài tối đa {longest} byte; hãy chọn đường dẫn ngắn hơn",
            )
            raise ValueError(too_long.filled(longest=_LONGEST_PATH))
        return Address(path=path)
    return _host_port(text, _NO_ADDRESS)


def checked_listen(text: str) -> str:
    """The address as written, when it is one; the empty text means none."""
    if text:
        parse_listen(text)
    return text


def checked_nameserver(text: str) -> str:
    """`127.0.0.1`, `127.0.0.1:53`, `2001:db8::53`, `[2001:db8::53]:53`; raises ValueError."""
    try:
        ip_address(text)
    except ValueError:
        mend = Sentence(
            'not a name server; write its IP address, with a port if it is not 53: "127.0.0.1:5353"',
            'không phải máy chủ tên miền; hãy viết địa chỉ IP, kèm cổng (port) nếu khác 53: "127.0.0.1:5353"',
        )
        try:
            ip_address(_host_port(text, mend).host)
        except ValueError:
            raise ValueError(mend) from None
    return text


def checked_hostname(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            Sentence(
                'not a host name; write the name of this server in DNS, such as "mx.longan.edu.vn"',
                'không phải tên máy chủ; hãy viết tên của máy chủ này trong DNS, chẳng hạn "mx.longan.edu.vn"',
            )
        )
    return text


def checked_timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, the name of a directory
        raise ValueError(
            Sentence(
                'no such time zone is known here; write a name such as "Asia/Ho_Chi_Minh"',
                'máy này không biết múi giờ đó; hãy viết tên, chẳng hạn "Asia/Ho_Chi_Minh"',
            )
        ) from None
    return text


def checked_network(value: object) -> IPv4Network | IPv6Network:
    """A network in CIDR form, or one address; host bits are refused, since it is not clear what was meant."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(str(value))
    except ValueError:
        mend = Sentence(
            'not a network; write address/length, such as "192.0.2.0/24" or "2001:db8::/32"',
            'không phải mạng; hãy viết địa_chỉ/độ_dài, chẳng hạn "192.0.2.0/24" hoặc "2001:db8::/32"',
        )
    try:
        wider = ip_network(str(value), strict=False)
    except ValueError:
        raise ValueError(mend) from None
    inside = Sentence(
        'an address inside a network; write "{wider}" for all of it, or the address alone',
        'đây là một địa chỉ bên trong mạng; hãy viết "{wider}" nếu muốn chỉ cả mạng, hoặc chỉ viết địa chỉ',
    )
    raise ValueError(inside.filled(wider=wider))


def _host_port(text: str, mend: Sentence) -> Address:
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(mend)
    if match["v6"]:
        try:
            ip_address(match["v6"])
        except ValueError:
            raise ValueError(mend) from None
        return Address(match["v6"], int(match["port"]))
    host = match["host"]
    if host and not _NAME.fullmatch(host):
        raise ValueError(mend)
    return Address(host or "0.0.0.0", int(match["port"]))  # noqa: S104 - ":25" says all addresses, as elsewhere
