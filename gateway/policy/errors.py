"""Validation errors of the models as problems with a place, in words that mend, in English and in Vietnamese."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from gateway.policy.model import Model
from gateway.policy.places import Document, Path
from gateway.policy.problem import Problem

M = TypeVar("M", bound=Model)

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "string_type": (
        "expected text; put it in quotes if it looks like a number",
        "cần chữ; nếu giống số thì đặt trong dấu nháy",
    ),
    "int_type": ("expected a whole number, without quotes", "cần số nguyên, không đặt trong dấu nháy"),
    "bool_type": ("expected true or false", "cần true hoặc false"),
    "tuple_type": ("expected a list", "cần một danh sách"),
    "dict_type": ("expected keys with values below it", "cần các cặp khóa: giá trị"),
    "model_type": ("expected keys with values below it", "cần các cặp khóa: giá trị"),
    "model_attributes_type": ("expected keys with values below it", "cần các cặp khóa: giá trị"),
    "string_too_short": ("must not be empty", "không được để trống"),
}


def near(word: str, known: Iterable[str]) -> tuple[str, str]:
    """` (did you mean 'hold'?)` in both languages, or nothing."""
    found = difflib.get_close_matches(word, list(known), 1, 0.6)
    return (f" (did you mean '{found[0]}'?)", f" (có phải '{found[0]}' không?)") if found else ("", "")


def validate(model: type[M], document: Document) -> M | None:
    """The model of a document, or None; everything wrong is added to the document's problems."""
    if document.data is None and document.problems:
        return None
    if not isinstance(document.data, dict):
        document.problems.append(
            document.problem(
                (),
                document.data,
                "the file is empty or not a list of keys with values",
                "tệp trống hoặc không gồm các cặp khóa: giá trị",
            )
        )
        return None
    empty = list(_empty(document.data, ()))
    for path in empty:
        key = str(path[-1])
        document.problems.append(
            document.problem(
                path,
                None,
                f"'{key}' has no value: write one, or remove the key",
                f"'{key}' chưa có giá trị: hãy ghi giá trị hoặc bỏ khóa này",
                key=True,
            )
        )
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            path, rest = locate(document, one["loc"])
            if not any(path in (key, key[:-1]) for key in empty):  # said already, in better words
                document.problems.append(_problem(model, document, path, rest, one))
        return None


def _empty(data: object, path: Path) -> Iterable[Path]:
    """Keys without a value: a condition that is left empty must not become one that is not there."""
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    for key, value in items:
        if value is None and key != "reverse_path":  # there, null is a word
            yield (*path, key)
        else:
            yield from _empty(value, (*path, key))


def locate(document: Document, location: tuple[str | int, ...]) -> tuple[Path, Path]:
    """The part of an error's location that is in the file, and the part that is not.

    Names of union members (in angle brackets), and the index 0 of a single value read as a list, are in the location
    but in no file.
    """
    path: Path = ()
    rest: Path = ()
    for step in location:
        if (*path, step) in document.places and not rest:
            path = (*path, step)
        elif isinstance(step, str) and not step.startswith("<"):
            rest = (*rest, step)
    return path, rest


def _problem(model: type[Model], document: Document, path: Path, rest: Path, error: Any) -> Problem:
    kind, value = error["type"], error.get("input")
    if kind == "extra_forbidden":
        key = str(path[-1])
        en, vi = near(key, _names(model))
        return document.problem(path, key, f"unknown key '{key}'{en}", f"không có khóa '{key}'{vi}", key=True)
    if kind == "missing":
        name = str(rest[-1]) if rest else ""
        return document.problem(path, "", f"'{name}' is missing", f"thiếu '{name}'")
    en, vi = _words(kind, value, error)
    shown = value if isinstance(value, str | int | float) else ""
    return document.problem(path, shown, _quoted(shown, en), _quoted(shown, vi))


def _quoted(value: object, words: str) -> str:
    return f"'{value}': {words}" if value != "" else words


def _words(kind: str, value: object, error: Any) -> tuple[str, str]:
    context = error.get("ctx", {})
    if kind == "policy":
        return context["en"], context["vi"]
    if kind == "literal_error":
        choices = str(context["expected"])
        en, vi = near(str(value), choices.replace("'", "").replace(" or ", ", ").split(", "))
        return f"expected {choices}{en}", f"cần {choices.replace(' or ', ' hoặc ')}{vi}"
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = context.get("ge", context.get("le"))
        en, vi = ("at least", "nhỏ nhất là") if "ge" in context else ("at most", "lớn nhất là")
        return f"must be {en} {limit}", f"giá trị {vi} {limit}"
    if kind == "string_too_long":
        return f"longer than {context['max_length']} characters", f"dài quá {context['max_length']} ký tự"
    return _KINDS.get(kind, (error["msg"], f"giá trị không hợp lệ ({error['msg']})"))


def _names(model: type[Model]) -> set[str]:
    """All field names of a model and of the models in it, for near misses."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}
