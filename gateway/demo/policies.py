"""The policies of the demonstration: a copy of those that are shipped, with the two lines changed that must be."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final

import gateway
from gateway.demo.words import DemoFailed

DISTRIBUTION: Final = "mail-gateway"
INSTALLED: Final = "share/mail-gateway/policies/policy.yaml"  # data-files of pyproject.toml
_MAIN_ROUTE: Final = re.compile(r"^( +main: )\{.*\}", re.MULTILINE)
_ROLLOUT: Final = re.compile(r"^( +)rollout: \{.*\}", re.MULTILINE)


def shipped() -> Path:
    """The policies/ folder beside the package in a checkout, else the one that the wheel brought. Raises DemoFailed."""
    beside = Path(gateway.__file__).resolve().parent.parent / "policies"
    if (beside / "policy.yaml").is_file():
        return beside
    try:
        found = [path for path in files(DISTRIBUTION) or () if str(path).endswith(INSTALLED)]
    except PackageNotFoundError:
        found = []
    for path in found:
        folder = Path(str(path.locate())).resolve().parent
        if (folder / "policy.yaml").is_file():
            return folder
    raise DemoFailed(f"the sample policies are missing: neither {beside} nor {INSTALLED} of the installed package")


def copy_policies(target: Path, port: int) -> None:
    """Copy to `target`; the main route leads to this loopback port, and every rule is past its pilot. Raises DemoFailed.

    Without the pilot's dates the story is the same on every day of the calendar. The golden cases are about those dates,
    so they stay behind.
    """
    shutil.copytree(shipped(), target, ignore=shutil.ignore_patterns("cases"))
    file = target / "policy.yaml"
    text, changed = _MAIN_ROUTE.subn(
        rf"\1{{ protocol: smtp, host: 127.0.0.1, port: {port} }}", file.read_text(encoding="utf-8"), count=1
    )
    if not changed:
        raise DemoFailed("policy.yaml has no line 'main: { ... }' under routes that the demonstration could change")
    file.write_text(_ROLLOUT.sub(r"\1# the pilot is over in this copy", text), encoding="utf-8")
