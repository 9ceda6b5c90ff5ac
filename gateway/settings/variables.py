"""GATEWAY_* environment variables as nested tables, through pydantic-settings: GATEWAY_SMTP__LISTEN='["0.0.0.0:25"]'."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from gateway.settings.models import Settings

PREFIX: Final = "GATEWAY_"
NESTED: Final = "__"


class _Source(EnvSettingsSource):
    """The library's reading of names and JSON values, from a given mapping; lists may also be written with commas."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        # only the fields and the configuration of the class are read, which every pydantic model has
        super().__init__(cast(type[BaseSettings], Settings), env_prefix=PREFIX, env_nested_delimiter=NESTED)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return [item.strip() for item in str(value).split(",") if item.strip()]


def read_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """The tables that the variables spell, unchecked; unknown keys are among them, so that checking tells them."""
    ours = {name: value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    tables: dict[str, Any] = _Source(ours)()
    for name, value in ours.items():
        key = name.upper().removeprefix(PREFIX).lower()
        head = key.split(NESTED)[0]
        # Kubernetes and others set variables such as GATEWAY_PORT and GATEWAY_SERVICE_HOST for a service of this
        # name; only what looks like one of our keys is taken for a slip.
        if head not in Settings.model_fields and (NESTED in key or get_close_matches(key, Settings.model_fields)):
            tables[head] = value
    return tables


def variable_of(environ: Mapping[str, str], path: tuple[str, ...]) -> str | None:
    """The name of the variable that set this key, something in it, or the table around it."""
    wanted = NESTED.join((*path, "")).lower()
    for name in environ:
        key = name.lower().removeprefix(PREFIX.lower()) + NESTED
        if name.upper().startswith(PREFIX) and (wanted.startswith(key) or key.startswith(wanted)):
            return name
    return None
