"""All generated pages by file name."""

from __future__ import annotations

from pathlib import Path

from docs.generator import commands, settings

FOLDER = Path(__file__).resolve().parents[1] / "reference"


def generated() -> dict[str, str]:
    """File name below docs/reference, and its text."""
    return {"settings.md": settings.page(), "cli.md": commands.page("en"), "lenh.md": commands.page("vi")}
