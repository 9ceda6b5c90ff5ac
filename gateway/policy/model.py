"""Base of the models of policy files."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Unknown keys are errors, types are exact, values are frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def null_as_word(data: Any) -> Any:
    """`reverse_path: null` is written without quotes by everybody, and YAML reads it as nothing: make it the word."""
    if isinstance(data, dict) and "reverse_path" in data and data["reverse_path"] is None:
        return {**data, "reverse_path": "null"}
    return data
