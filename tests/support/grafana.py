"""The shipped dashboards, as Grafana would ask Prometheus for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.node import ROOT

FOLDER = ROOT / "deploy" / "grafana"


@dataclass(frozen=True)
class Query:
    """One query of one panel, with Grafana's variables filled in."""

    panel: str
    expression: str
    legend: str
    may_be_empty: str = ""  # why


def dashboard(language: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(file_of(language).read_text(encoding="utf-8"))
    return loaded


def file_of(language: str) -> Path:
    return FOLDER / f"gateway.{language}.json"


def panels(language: str) -> list[dict[str, Any]]:
    """Those that show something."""
    return [panel for panel in dashboard(language)["panels"] if panel["type"] != "row"]


def queries(panel: dict[str, Any], *, rate_interval: str, instance: str = ".*") -> list[Query]:
    """What Grafana asks for a panel."""
    reasons = _reasons()
    return [
        Query(
            panel["title"],
            target["expr"].replace("$__rate_interval", rate_interval).replace("$instance", instance),
            target["legendFormat"],
            reasons[panel["id"], place],
        )
        for place, target in enumerate(panel["targets"])
    ]


def legend(pattern: str, labels: dict[str, str]) -> str:
    """What Grafana writes beside a line."""
    for name, value in labels.items():
        pattern = pattern.replace("{{" + name + "}}", value)
    return pattern


def _reasons() -> dict[tuple[int, int], str]:
    """Why a healthy gateway may have nothing to show, by panel id and place of the query."""
    source = yaml.safe_load((FOLDER / "panels.yaml").read_text(encoding="utf-8"))
    return {
        (panel["id"], place): query.get("may_be_empty") or panel.get("may_be_empty", "")
        for row in source["rows"]
        for panel in row["panels"]
        for place, query in enumerate(panel["queries"])
    }
