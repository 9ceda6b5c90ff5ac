"""`python -m docs.generator.picture` runs the demonstration in a terminal of 100 columns and draws what it shows first.

The picture fetches nothing: it names only fonts that a reader's system has.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

PICTURES: Final = Path(__file__).resolve().parents[1] / "pictures"
COLUMNS, LINES = 100, 47
TEMPLATE: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "Liberation Mono", "Noto Sans Mono", Consolas, Menlo, monospace;
  font-size: {char_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def shown(language: str) -> str:
    """What the demonstration writes to a terminal, with its colours."""
    reading, writing = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "gateway", "demo", "--lang", language]
    with subprocess.Popen(  # noqa: S603 -- our own program
        command, stdout=writing, stderr=writing, env=environment, close_fds=True
    ) as process:
        os.close(writing)
        octets = b"".join(_pieces(reading))
    if process.returncode:
        raise SystemExit(octets.decode(errors="replace"))
    return octets.decode().replace("\r\n", "\n")


def _pieces(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # Linux' way of saying that the other end is closed
            return
        if not piece:
            return
        yield piece


def drawn(text: str, title: str) -> str:
    """The first lines as SVG."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115 -- ends with us
    console.print(Text.from_ansi("\n".join(text.splitlines()[:LINES])), soft_wrap=True)
    return console.export_svg(title=title, code_format=TEMPLATE, unique_id="demo")


if __name__ == "__main__":
    for language, title in (("en", "gateway demo --lang en"), ("vi", "gateway demo")):
        (PICTURES / f"demo.{language}.svg").write_text(drawn(shown(language), title), encoding="utf-8")
