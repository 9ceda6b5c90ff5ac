"""The scriptable DNS server of the demonstration, with the settings that make a resolver ask it."""

from __future__ import annotations

from typing import Any

from gateway.demo.dns import SERVFAIL, SILENT, DnsServer, Script, ZoneData
from gateway.settings import DnsSettings

__all__ = ["SERVFAIL", "SILENT", "DnsServer", "Script", "ZoneData", "settings_for"]


def settings_for(*addresses: str, **changes: Any) -> DnsSettings:
    """Settings that ask these host:port addresses only."""
    return DnsSettings(nameservers=addresses, **changes)
