"""The site must work without the rest of the world: no script, style, font or picture from elsewhere. Links may lead out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from sphinx.errors import ExtensionError

_IN_HTML: Final = re.compile(
    r"""<(?:script|link|img|iframe|source|object|embed)\b[^>]*\b(?:src|href|data)=["']?((?:https?:)?//[^"'\s>]+)""",
    re.I,
)
_IN_CSS: Final = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", re.I)


def fetched(text: str, kind: str) -> list[str]:
    """Addresses of other hosts that a browser would fetch by itself; `kind` is .html or .css."""
    found = _IN_CSS.findall(text)
    return [*_IN_HTML.findall(text), *found] if kind == ".html" else found


def _check(app: Any, exception: Exception | None) -> None:
    if exception is not None:
        return
    wrong = [
        f"{path.relative_to(app.outdir)}: {address}"
        for path in sorted(Path(app.outdir).rglob("*.*"))
        if path.suffix in (".html", ".css")
        for address in fetched(path.read_text(encoding="utf-8"), path.suffix)
    ]
    if wrong:
        raise ExtensionError("fetched from elsewhere: " + "; ".join(wrong))


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
