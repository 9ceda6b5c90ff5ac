"""What gateway.toml can say, with defaults; names are part of the contract (extend, do not rename)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field

from gateway.settings.listen import (
    checked_hostname,
    checked_listen,
    checked_nameserver,
    checked_network,
    checked_timezone,
    parse_listen,
)

MIB = 1024 * 1024
Network = IPv4Network | IPv6Network
Networks = tuple[Annotated[Network, BeforeValidator(checked_network)], ...]
Listen = Annotated[str, AfterValidator(checked_listen)]


class Section(BaseModel):
    """One table of gateway.toml; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, populate_by_name=True)


class SmtpSettings(Section):
    listen: tuple[Listen, ...] = ("127.0.0.1:2525",)
    """Addresses of the SMTP door: host:port, [::1]:port, unix:/path (its clients count as 127.0.0.1); none: no such door."""
    proxy_from: Networks = ()
    """PROXY protocol v1/v2 is required from these networks and refused from all others."""
    xclient_from: Networks = ()
    """XCLIENT and XFORWARD are honoured from these networks."""
    max_size: Annotated[ByteSize, Field(ge=64 * 1024)] = ByteSize(50 * MIB)
    """Largest message accepted, in octets."""
    certificate: Path | None = None
    """PEM chain; STARTTLS is offered when certificate and key are set. SIGHUP reads both again."""
    key: Path | None = None
    """PEM private key of the certificate, not encrypted."""
    max_recipients: Annotated[int, Field(ge=100)] = 1000
    """Recipients of one transaction (RFC 5321 §4.5.3.1.8 asks for 100 at least)."""
    command_timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds we wait for the next command (RFC 5321 §4.5.3.2.7)."""
    min_data_rate: Annotated[int, Field(ge=0)] = 500
    """Octets per second below which a DATA transfer is cut (after a minute's grace)."""
    max_line: Annotated[int, Field(ge=1000)] = 32 * 1024
    """Longest line of a message, in octets; lines are never refolded."""
    bare_newlines: Literal["refuse", "log"] = "refuse"
    """What happens to a message with a bare CR, a bare LF or a NUL: refused, or passed on and logged (first weeks)."""
    connections_per_client: Annotated[int, Field(ge=1)] = 20
    """Open connections from one /24 or /64."""
    connections: Annotated[int, Field(ge=1)] = 4000
    """Open connections of one worker."""
    rate_per_client: Annotated[int, Field(ge=1)] = 300
    """New connections per minute from one /24 or /64."""
    exempt: Networks = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    """Networks without the two limits per client."""
    errors_per_session: Annotated[int, Field(ge=1)] = 20
    """Refused commands after which the session ends with 421."""
    memory: Annotated[ByteSize, Field(ge=MIB)] = ByteSize(512 * MIB)
    """Octets of messages in flight in one worker; above it 452 (bodies over 1 MiB are on disk and do not count)."""


class MilterSettings(Section):
    listen: tuple[Listen, ...] = ()
    """Addresses of the milter door: unix:/path (mode 0660) or host:port; none: no milter."""
    max_size: Annotated[ByteSize, Field(ge=64 * 1024)] = ByteSize(50 * MIB)
    """Largest message accepted, in octets; the mail server's own limit should not be higher."""
    internal: Networks = ()
    """Clients whose mail passes unseen, such as this host itself. Never a proxy that hides its clients' addresses."""
    judge_authenticated: bool = False
    """Whether mail of clients that logged in at the mail server is judged too; else it passes unseen."""
    connections: Annotated[int, Field(ge=1)] = 4000
    """Open connections of one worker; one for each SMTP session of the mail server."""
    idle: Annotated[float, Field(gt=0)] = 7210.0
    """Seconds without a word from the mail server; it must be longer than the server's patience with its clients."""
    memory: Annotated[ByteSize, Field(ge=MIB)] = ByteSize(512 * MIB)
    """Octets of messages in flight in one worker; above it 452 (bodies over 1 MiB are on disk and do not count)."""


class DnsSettings(Section):
    nameservers: tuple[Annotated[str, AfterValidator(checked_nameserver)], ...] = ()
    """host or host:port; empty: the system's."""
    timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds for all questions of one round."""
    cache_size: Annotated[int, Field(ge=0)] = 20_000
    """Answers kept."""
    max_ttl: Annotated[int, Field(ge=0)] = 3600
    """Seconds that an answer is kept at most."""
    negative_ttl: Annotated[int, Field(ge=0)] = 60
    """Seconds that an absence is kept."""
    error_ttl: Annotated[float, Field(ge=0)] = 2.0
    """Seconds that a failure is kept, so that one dead server is not asked for each message."""


class StoreSettings(Section):
    url: str = "sqlite:///{state}/gateway.db"
    """SQLAlchemy URL; {state} is the state directory."""
    key_file: Path | None = None
    """32 octets in hex; blobs are encrypted at rest when set."""


class RelaySettings(Section):
    connect_timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds for connection, greeting and EHLO together (safety R-10)."""
    command_timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds for a MAIL, RCPT or DATA reply."""
    final_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds for the reply after the end of data (RFC 5321 §4.5.3.2.6)."""
    idle: Annotated[float, Field(ge=0)] = 30.0
    """Seconds an unused downstream connection is kept."""
    pool: Annotated[int, Field(ge=1)] = 100
    """Downstream connections of one worker and route."""


class NoticeSettings(Section):
    sender: Annotated[str, Field(validation_alias=AliasChoices("from", "sender"))] = (
        "Cổng thư điện tử <no-reply@longan.edu.vn>"
    )
    """From of notices (`from` in the file). MAIL FROM of a notice is always the null reverse-path."""
    route: str = "main"
    """Policy route through which notices leave."""
    dkim_selector: str = ""
    """Selector under which the public key of dkim_key is published."""
    dkim_domain: str = ""
    """Signing domain; it should be that of `from`."""
    dkim_key: Path | None = None
    """PEM private key; notices are signed, and messages whose subject a rule changes are sealed (ARC), when all are set."""
    window_days: Annotated[int, Field(ge=1)] = 7
    """One notice per sender, unit and directive in this many days (AR-12)."""
    per_sender_day: Annotated[int, Field(ge=0)] = 5
    """Notices to one mailbox in a day."""
    per_domain_hour: Annotated[int, Field(ge=0)] = 60
    """Notices to mailboxes of one domain in an hour."""
    per_hour: Annotated[int, Field(ge=0)] = 300
    """Notices in an hour, in all."""
    enabled: bool = True
    """The kill switch (AR-18)."""
    dry_run: bool = False
    """Decide and record, but send nothing."""


class HttpSettings(Section):
    listen: Listen = "127.0.0.1:9925"
    """/metrics, /livez, /readyz; "" for none."""


class Settings(Section):
    """gateway.toml."""

    hostname: Annotated[str, AfterValidator(checked_hostname)] = "mx.longan.edu.vn"
    """Our name in greeting, EHLO and Received."""
    policies: Path = Path("policies")
    """The folder that admins edit."""
    state: Path = Path("var")
    """Database, blobs, spool, last-good policies."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Worker processes; default: one per core, or per two cores where all doors are Unix sockets."""
    timezone: Annotated[str, AfterValidator(checked_timezone)] = "Asia/Ho_Chi_Minh"
    """Of notices, tables and digests; everything stored is UTC."""
    drain: Annotated[float, Field(ge=0)] = 620.0
    """Seconds that transactions may take to finish after SIGTERM."""
    smtp: SmtpSettings = SmtpSettings()
    milter: MilterSettings = MilterSettings()
    dns: DnsSettings = DnsSettings()
    store: StoreSettings = StoreSettings()
    relay: RelaySettings = RelaySettings()
    notice: NoticeSettings = NoticeSettings()
    http: HttpSettings = HttpSettings()

    def workers_on(self, cores: int) -> int:
        """How many workers to begin on a machine of so many cores.

        Behind Unix sockets the mail server is on the same machine and takes two thirds of what a message costs. Workers
        that it leaves no core for only cool each other's caches (docs/decisions/021).
        """
        doors = [parse_listen(listen) for listen in (*self.smtp.listen, *self.milter.listen)]
        is_shared = bool(doors) and all(door.path for door in doors)
        return self.workers or max(1, cores // 2 if is_shared else cores)
