"""The command `gateway`. Verbs are registered in verbs.py; here is only the door, so that help and version are quick."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.cli.verbs import app

__all__ = ["app", "main"]


def main() -> None:
    """Entry point."""
    from gateway.cli.start import start

    sys.exit(start(sys.argv[1:]))


def __getattr__(name: str) -> Any:
    """`gateway.cli.app`, loaded when somebody asks for it: the library behind it costs as much as Python itself."""
    if name == "app":
        from gateway.cli.verbs import app

        return app
    raise AttributeError(name)
