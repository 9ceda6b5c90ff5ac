"""Static settings: gateway.toml and GATEWAY_* variables; a change needs a restart (policies/ are the live part).

`models` says what there is, `load` reads it or tells everything that is wrong with it, each with its place.
"""

from gateway.settings.advice import advice
from gateway.settings.listen import Address, parse_listen
from gateway.settings.load import SettingsError, load_settings
from gateway.settings.models import (
    DnsSettings,
    HttpSettings,
    MilterSettings,
    Network,
    NoticeSettings,
    RelaySettings,
    Section,
    Settings,
    SmtpSettings,
    StoreSettings,
)
from gateway.settings.sentence import Sentence

__all__ = [
    "Address",
    "DnsSettings",
    "HttpSettings",
    "MilterSettings",
    "Network",
    "NoticeSettings",
    "RelaySettings",
    "Section",
    "Sentence",
    "Settings",
    "SettingsError",
    "SmtpSettings",
    "StoreSettings",
    "advice",
    "load_settings",
    "parse_listen",
]
