"""State diagrams without a script from elsewhere: `mermaid` fences become a table of moves."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

_MOVE = re.compile(r"(\S+) --> (\S+?)(?::\s*(.*))?\Z")
_START_OR_END = "[*]"


def moves(source: str) -> list[tuple[str, str, str]]:
    """(from, to, when) of each line of a mermaid state diagram."""
    found = (_MOVE.match(line.strip()) for line in source.splitlines())
    return [(m[1], m[2], m[3] or "") for m in found if m]


class StateDiagram(Directive):
    """The fence's text as a table with the columns from, to, when."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        rows = moves("\n".join(self.content))
        if not rows:
            raise self.error("no state diagram: only lines such as 'held --> released: delivered' can be shown")
        return [_table(rows)]


def _table(rows: list[tuple[str, str, str]]) -> nodes.table:
    group = nodes.tgroup(cols=3)
    group += [nodes.colspec(colwidth=width) for width in (20, 20, 60)]
    head, body = nodes.thead(), nodes.tbody()
    head += _row([nodes.Text("from"), nodes.Text("to"), nodes.Text("when")])
    body += [_row([_state(a, "the beginning"), _state(b, "the end"), nodes.Text(when)]) for a, b, when in rows]
    group += [head, body]
    table = nodes.table(classes=["states"])
    table += group
    return table


def _state(word: str, edge: str) -> nodes.Node:
    return nodes.emphasis(edge, edge) if word == _START_OR_END else nodes.literal(word, word)


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph("", "", cell))
    return row


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.add_directive("mermaid", StateDiagram)
    app.config.myst_fence_as_directive = {"mermaid"}
    return {"parallel_read_safe": True, "parallel_write_safe": True}
