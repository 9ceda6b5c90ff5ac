"""`python -m docs.generator` writes the pages of docs/reference that are made from code; a test compares them."""

from __future__ import annotations

from docs.generator.pages import FOLDER, generated

for name, text in generated().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
