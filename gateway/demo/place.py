"""Where the demonstration lives: one fresh folder with settings, policies, letters, mailboxes and state."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.demo.keys import Key
from gateway.demo.policies import copy_policies
from gateway.demo.zones import Names, plain
from gateway.settings import Settings, load_settings

HOSTNAME: Final = "mx.longan.edu.vn"
SIGNING_DOMAIN: Final = "longan.edu.vn"
DNS_SECONDS: Final = 3.0  # within which DNS must answer; silence costs that much
ERROR_SECONDS: Final = 0.2  # that the gateway remembers a failure of DNS

_SETTINGS: Final = """\
# Settings of the demonstration. Its DNS and its receiving server live only while it runs.
hostname = "{hostname}"
policies = "policies"
state = "var"
workers = 1
drain = 5.0

[smtp]
listen = ["127.0.0.1:{smtp}"]
xclient_from = ["127.0.0.0/8"]   # the demonstration tells by XCLIENT which host a message comes from

[dns]
nameservers = ["{dns}"]
timeout = {dns_seconds}
error_ttl = {error_seconds}

[notice]
from = "Cổng thư điện tử Sở GD&ĐT Long An <no-reply@longan.edu.vn>"
dkim_domain = "{signing_domain}"
dkim_selector = "{selector}"
dkim_key = "dkim.pem"

[http]
listen = "127.0.0.1:{http}"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Files of one demonstration."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "gateway.toml"

    @property
    def policies(self) -> Path:
        return self.root / "policies"

    @property
    def zone(self) -> Path:
        """All of the demonstration's DNS, for `gateway explain --zone`."""
        return self.root / "zone.yaml"

    @property
    def maildirs(self) -> Path:
        return self.root / "maildirs"

    @property
    def letters(self) -> Path:
        return self.root / "letters"

    @property
    def log(self) -> Path:
        return self.root / "mail.log"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.txt"

    def letter(self, number: int) -> Path:
        """The letter of this story as it was sent."""
        return self.letters / f"{number:02d}.eml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports in use."""

    smtp: int
    http: int
    dns: int
    department: int


def new_place() -> Place:
    """A fresh folder. Raises OSError."""
    place = Place(Path(tempfile.mkdtemp(prefix="gateway-demo-")))
    for folder in (place.maildirs, place.letters):
        folder.mkdir()
    return place


def furnish(place: Place, ports: Ports, names: Names, key: Key) -> Settings:
    """Write what the gateway reads, and read its settings. `key` signs the notices. Raises DemoFailed and OSError."""
    copy_policies(place.policies, ports.department)
    key_file = place.root / "dkim.pem"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.signer.key_pem)
    place.zone.write_text(json.dumps(plain(names), indent=1), encoding="utf-8")  # JSON is YAML too
    text = _SETTINGS.format(
        hostname=HOSTNAME,
        smtp=ports.smtp,
        http=ports.http,
        dns=f"127.0.0.1:{ports.dns}",
        dns_seconds=DNS_SECONDS,
        error_seconds=ERROR_SECONDS,
        signing_domain=SIGNING_DOMAIN,
        selector=key.signer.selector,
    )
    place.config.write_text(text, encoding="utf-8")
    return load_settings(place.config, {})


def program() -> str:
    """How this program was called, so that the commands shown can be copied."""
    called = Path(sys.argv[0])
    if called.name != "gateway":
        return f"{shlex.quote(sys.executable)} -m gateway"
    found = shutil.which("gateway")
    return "gateway" if found and Path(found).resolve() == called.resolve() else shlex.quote(str(called))
