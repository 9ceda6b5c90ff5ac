"""Writes gateway.en.json and gateway.vi.json from panels.yaml: `python deploy/grafana/make.py`."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "vi")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECT = 'instance=~"$instance"'
WIDTH = 24  # of Grafana's grid
SIZES = {"stat": (4, 4), "bargauge": (6, 8), "timeseries": (6, 8)}
WORDS = {"yesno": {"en": ("no", "yes"), "vi": ("không", "có")}}
NAMES = {
    "datasource": {"en": "Data source", "vi": "Nguồn dữ liệu"},
    "instance": {"en": "Gateway", "vi": "Cổng thư"},
    "policy": {"en": "New policy in force", "vi": "Áp dụng chính sách mới"},
}


def dashboard(language: str) -> dict[str, Any]:
    """The dashboard in one language, as Grafana imports it."""
    source = yaml.safe_load((FOLDER / "panels.yaml").read_text(encoding="utf-8"))
    return {
        "uid": f"mail-gateway-{language}",
        "title": source["title"][language],
        "description": source["about"][language],
        "tags": ["mail-gateway"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables(language)},
        "annotations": {"list": [policy_changes(language)]},
        "panels": panels(source["rows"], language),
    }


def variables(language: str) -> list[dict[str, Any]]:
    """The data source, and which gateways are shown."""
    return [
        {"name": "datasource", "label": NAMES["datasource"][language], "type": "datasource", "query": "prometheus"},
        {
            "name": "instance",
            "label": NAMES["instance"][language],
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": "label_values(gateway_build_info, instance)", "refId": "instances"},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        },
    ]


def policy_changes(language: str) -> dict[str, Any]:
    """A line through all graphs where another policy came into force."""
    return {
        "name": NAMES["policy"][language],
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"changes(gateway_policy_generation{{{SELECT}}}[1m]) > 0",
        "titleFormat": NAMES["policy"][language],
        "step": "60s",
    }


def panels(rows: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """Rows of panels, laid out from left to right."""
    made: list[dict[str, Any]] = []
    top = 0
    for number, row in enumerate(rows, start=1):
        title = {"id": number * 1000, "type": "row", "title": row["title"][language], "collapsed": False, "panels": []}
        made.append(title | {"gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        top += 1
        left = height = 0
        for width, panel in zip(widths(row["panels"]), row["panels"], strict=True):
            if left + width > WIDTH:
                left, top = 0, top + height
            height = SIZES[panel.get("kind", "timeseries")][1]
            made.append(drawn(panel, language) | {"gridPos": {"x": left, "y": top, "w": width, "h": height}})
            left += width
        top += height
    return made


def widths(row: list[dict[str, Any]]) -> list[int]:
    """Graphs share the lines they fill: six of them stand three by three."""
    own = [SIZES[panel.get("kind", "timeseries")][0] for panel in row]
    return [8] * len(row) if len(row) == 6 and set(own) == {6} else own


def drawn(panel: dict[str, Any], language: str) -> dict[str, Any]:
    """One panel without its place."""
    kind = panel.get("kind", "timeseries")
    letters = (chr(ord("A") + number) for number in count())
    return {
        "id": panel["id"],
        "type": kind,
        "title": panel["title"][language],
        "description": panel["text"][language],
        "datasource": SOURCE,
        "targets": [
            {
                "refId": letter,
                "datasource": SOURCE,
                "expr": query["expr"].replace("SELECT", SELECT),
                "legendFormat": query.get("legend", "__auto"),
                "instant": kind != "timeseries",
                "range": kind == "timeseries",
            }
            for letter, query in zip(letters, panel["queries"], strict=False)
        ],
        "fieldConfig": {"defaults": defaults(panel, kind, language), "overrides": overrides(panel)},
        "options": options(kind),
    }


def defaults(panel: dict[str, Any], kind: str, language: str) -> dict[str, Any]:
    """Unit, limits and looks of all series of a panel."""
    found: dict[str, Any] = {"unit": panel.get("unit", "short"), "min": 0, "thresholds": thresholds(panel)}
    if panel.get("unit") == "percentunit" and kind == "bargauge":
        found["max"] = 1
    if "decimals" in panel:
        found["decimals"] = panel["decimals"]
    if "words" in panel:
        words = WORDS[panel["words"]][language]
        found["mappings"] = [{"type": "value", "options": {str(n): {"text": word} for n, word in enumerate(words)}}]
    if kind == "timeseries":
        stacked = bool(panel.get("stack"))
        found["color"] = {"mode": "palette-classic"}
        found["custom"] = {
            "fillOpacity": 30 if stacked else 8,
            "lineWidth": 1 if stacked else 2,
            "showPoints": "never",
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        }
    else:
        found["color"] = {"mode": "thresholds"}
    return found


def thresholds(panel: dict[str, Any]) -> dict[str, Any]:
    """Green, and where it becomes orange and red."""
    if "bad_below" in panel:
        steps: list[tuple[str, float | None]] = [("red", None)]
        if "warn_below" in panel:
            steps.append(("orange", panel["bad_below"]))
        steps.append(("green", panel.get("warn_below", panel["bad_below"])))
    else:
        steps = [("green", None)]
        steps += [
            (color, panel[key]) for color, key in (("orange", "warn_above"), ("red", "bad_above")) if key in panel
        ]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


def overrides(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """The same colour for the same thing in every panel."""
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for name, color in panel.get("colors", {}).items()
    ]


def options(kind: str) -> dict[str, Any]:
    """How the kind of panel shows its values."""
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match kind:
        case "stat":
            return {"reduceOptions": last, "colorMode": "background", "graphMode": "none", "textMode": "value"}
        case "bargauge":
            return {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic", "showUnfilled": True}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def written(language: str) -> str:
    """The file's text."""
    return json.dumps(dashboard(language), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    for each in LANGUAGES:
        (FOLDER / f"gateway.{each}.json").write_text(written(each), encoding="utf-8")
