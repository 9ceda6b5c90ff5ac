"""The place of a setting for complaints that are found only later, when policies, keys and store are looked at as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.settings.load import DEFAULT
from gateway.settings.places import places_of_keys
from gateway.settings.variables import variable_of

_BEGINS_WITH_KEY: Final = re.compile(r"([a-z]+)\.([a-z_]+)\b")


def placed(sentence: str, config: Path | None, environ: Mapping[str, str]) -> str:
    """`notice.route: …` with `file:line:column: ` or the variable's name before it; a default has the file only.

    Sentences that begin with no setting stay as they are, and so does everything when the file cannot be read.
    """
    match = _BEGINS_WITH_KEY.match(sentence)
    if match is None:
        return sentence
    keys = (match[1], match[2])
    if variable := variable_of(environ, keys):
        return f"{variable}: {sentence}"
    file = config or DEFAULT
    try:
        place = places_of_keys(file.read_text("utf-8-sig")).get(keys)
    except (OSError, UnicodeDecodeError):
        return sentence
    return f"{file}:{place.line}:{place.value}: {sentence}" if place else f"{file}: {sentence}"
