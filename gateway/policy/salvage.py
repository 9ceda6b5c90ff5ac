"""A policy with errors, read without its wrong parts: so that what the rest refers to is checked in the same run."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from pydantic import ValidationError

from gateway.policy.errors import locate
from gateway.policy.places import Document, Path
from gateway.policy.schema import PolicyModel

ATTEMPTS: Final = 20
_PLACEHOLDER: Final = {"name": "?", "then": {"relay": {}}}  # for a rule of which nothing can be kept


def salvage(document: Document) -> PolicyModel | None:
    """The model of what is right in the document, fit for looking up names and for nothing else; None when too little is.

    Rules keep their numbers. A rule without its wrong keys may say something else than its author meant, so neither
    its effect nor the order of rules may be judged by it.
    """
    data = deepcopy(document.data)
    for _ in range(ATTEMPTS):
        try:
            return PolicyModel.model_validate(data)
        except ValidationError as error:
            wrong = {locate(document, one["loc"])[0] for one in error.errors(include_url=False)}
        for path in sorted(wrong, key=len, reverse=True):
            if not _without(data, path):
                return None
    return None


def _without(data: Any, path: Path) -> bool:
    """Take the value at the path out of the data; False where it cannot be done without."""
    if len(path) == 2 and path[0] == "rules":
        data["rules"][path[1]] = deepcopy(_PLACEHOLDER)
        return True
    if len(path) < 2:  # a key of the top: most are needed, and the others are few
        return bool(path) and isinstance(data, dict) and data.pop(path[0], None) is not None
    parent = data
    for step in path[:-1]:
        try:
            parent = parent[step]
        except (KeyError, IndexError, TypeError):
            return True  # gone already, with something above it
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        return True
    return _without(data, path[:-1])
