"""Draws a Grafana dashboard's panels as a page of HTML and SVG: enough to show what it looks like where there is no Grafana."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

CELL, LINE = 60, 33  # pixels of a grid cell, as Grafana's on a wide screen
COLORS = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "yellow": "#fade2a",
}
PALETTE = ("#73bf69", "#5794f2", "#ff9830", "#b877d9", "#f2cc0c", "#8ab8ff", "#f2495c", "#96d98d", "#ffb357", "#ca95e5")
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
STYLE = """
body{margin:0;background:#111217;color:#ccccdc;font:13px "DejaVu Sans",sans-serif;position:relative}
.panel{position:absolute;background:#181b1f;border:1px solid #25272e;border-radius:3px;overflow:hidden;box-sizing:border-box}
.panel h3{margin:6px 9px 0;font-size:12.5px;font-weight:600;white-space:nowrap}
.row{position:absolute;font-size:15px;font-weight:600;padding:9px 4px;color:#e8e8f0}
.stat{font-size:27px;font-weight:600;color:#fff;text-align:center;padding-top:16px;height:100%}
.bar{display:flex;align-items:center;margin:6px 10px;font-size:12px}.bar b{width:150px;font-weight:400;white-space:nowrap}
.bar i{flex:1;background:#25272e;height:15px;margin-right:8px}
.bar i u{display:block;height:15px}.bar s{width:52px;text-decoration:none}
.legend{position:absolute;bottom:5px;left:10px;font-size:11px;white-space:nowrap}
.legend i{display:inline-block;width:11px;height:3px;margin:0 5px 3px 12px}
text{fill:#8e8e9c;font:10px "DejaVu Sans",sans-serif}
"""


@dataclass(frozen=True)
class Curve:
    """One series; values by time in seconds since 1970."""

    name: str
    points: list[tuple[float, float]]


def page(
    panels: Sequence[dict[str, Any]], data: Callable[[dict[str, Any]], list[Curve]], start: float, end: float
) -> str:
    """The whole dashboard. `data` gives the curves of a panel; of a stat the last point counts."""
    parts, bottom = [], 0
    for panel in panels:
        place = panel["gridPos"]
        size = place["w"] * CELL - 8, place["h"] * LINE - 8
        corner = f"left:{place['x'] * CELL + 8}px;top:{place['y'] * LINE + 8}px"
        box = f"{corner};width:{size[0]}px;height:{size[1]}px"
        bottom = max(bottom, (place["y"] + place["h"]) * LINE + 8)
        title = html.escape(panel["title"])
        if panel["type"] == "row":
            parts.append(f'<div class="row" style="{box}">{title}</div>')
            continue
        body = {"stat": _stat, "bargauge": _bars}.get(panel["type"])
        inner = body(panel, data(panel)) if body else _graph(panel, data(panel), size, start, end)
        shade = f";background:{_shade(panel, data(panel))}" if panel["type"] == "stat" else ""
        parts.append(f'<div class="panel" style="{box}{shade}"><h3>{title}</h3>{inner}</div>')
    width = 24 * CELL + 8
    head = f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
    return f'{head}<body style="width:{width}px;height:{bottom}px">{"".join(parts)}'


def _last(curves: list[Curve]) -> float | None:
    return curves[0].points[-1][1] if curves and curves[0].points else None


def _shade(panel: dict[str, Any], curves: list[Curve]) -> str:
    value, color = _last(curves), "green"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or (value is not None and value >= step["value"]):
            color = step["color"]
    return {"green": "#2d6b34", "orange": "#a1570f", "red": "#9c2433"}[color]


def _stat(panel: dict[str, Any], curves: list[Curve]) -> str:
    value, defaults = _last(curves), panel["fieldConfig"]["defaults"]
    if value is None:
        return '<div class="stat">–</div>'
    words = defaults["mappings"][0]["options"] if "mappings" in defaults else {}
    shown = words.get(f"{value:.0f}", {}).get("text") or written(value, defaults["unit"], defaults.get("decimals"))
    return f'<div class="stat">{shown}</div>'


def _bars(panel: dict[str, Any], curves: list[Curve]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    values = [(curve.name, curve.points[-1][1]) for curve in curves if curve.points]
    top = defaults.get("max") or max((value for _, value in values), default=1) or 1
    return "".join(
        f'<div class="bar"><b>{html.escape(name)}</b>'
        f'<i><u style="width:{100 * value / top:.0f}%;background:{COLORS["green"]}"></u></i>'
        f"<s>{written(value, defaults['unit'], defaults.get('decimals'))}</s></div>"
        for name, value in sorted(values, key=lambda pair: -pair[1])
    )


def _graph(panel: dict[str, Any], curves: list[Curve], size: tuple[int, int], start: float, end: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    fixed = {
        o["matcher"]["options"]: COLORS[o["properties"][0]["value"]["fixedColor"]]
        for o in panel["fieldConfig"]["overrides"]
    }
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    curves = [curve for curve in curves if any(value for _, value in curve.points)] or curves[:1]
    layers = _stacked(curves) if stacked else [(curve.points, None) for curve in curves]
    top = _round(max((value for points, _ in layers for _, value in points), default=0))
    left, right, above, below = 52, 10, 6, 42
    width, height = size[0] - left - right, size[1] - 28 - above - below

    def at(time: float, value: float) -> str:
        return f"{left + width * (time - start) / (end - start):.1f},{above + height * (1 - value / top):.1f}"

    drawn = [_grid(top, defaults["unit"], (left, above, width, height), start, end)]
    legend = []
    for number, (curve, (points, base)) in enumerate(zip(curves, layers, strict=True)):
        color = fixed.get(curve.name, PALETTE[number % len(PALETTE)])
        outline = " ".join(at(*point) for point in points)
        floor = " ".join(at(*point) for point in reversed(base or [(time, 0) for time, _ in points]))
        drawn.append(f'<polygon points="{outline} {floor}" fill="{color}" opacity="{0.35 if stacked else 0.08}"/>')
        drawn.append(f'<polyline points="{outline}" fill="none" stroke="{color}" stroke-width="1.6"/>')
        legend.append(f'<i style="background:{color}"></i>{html.escape(curve.name)}')
    return f'<svg width="{size[0]}" height="{size[1] - 28}">{"".join(drawn)}</svg><div class="legend">{"".join(legend)}</div>'


def _round(highest: float) -> float:
    """The upper end of an axis of four equal parts that are easy to read."""
    if not highest:
        return 1
    size = 10 ** math.floor(math.log10(highest))
    return next(step * size for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12) if step * size >= highest * 1.02)


def _stacked(curves: list[Curve]) -> list[tuple[list[tuple[float, float]], list[tuple[float, float]]]]:
    """Each on top of those before it: its upper edge and its lower one."""
    sums: dict[float, float] = {}
    layers = []
    for curve in curves:
        base = [(time, sums.get(time, 0.0)) for time, _ in curve.points]
        sums |= {time: sums.get(time, 0.0) + value for time, value in curve.points}
        layers.append(([(time, sums[time]) for time, _ in curve.points], base))
    return layers


def _grid(top: float, unit: str, area: tuple[int, int, int, int], start: float, end: float) -> str:
    left, above, width, height = area
    lines = []
    for part in range(5):
        y = above + height * (1 - part / 4)
        lines.append(f'<line x1="{left}" x2="{left + width}" y1="{y}" y2="{y}" stroke="#2a2c34"/>')
        lines.append(f'<text x="{left - 5}" y="{y + 3}" text-anchor="end">{written(top * part / 4, unit, None)}</text>')
    for part in range(1, 5):
        moment = datetime.fromtimestamp(start + (end - start) * part / 5, ZONE)
        x = left + width * part / 5
        lines.append(f'<text x="{x}" y="{above + height + 14}" text-anchor="middle">{moment:%H:%M:%S}</text>')
    return "".join(lines)


def written(value: float, unit: str, decimals: int | None) -> str:
    """A number with its unit, about as Grafana writes it."""
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    if unit == "bytes":
        for name in ("B", "KiB", "MiB", "GiB"):
            if value < 1024 or name == "GiB":
                return f"{value:.0f} {name}"
            value /= 1024
    if unit == "s":
        for size, name in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms")):
            if abs(value) >= size:
                return f"{value / size:.{1 if value / size < 10 else 0}f} {name}"
        return f"{value * 1e6:.0f} µs" if value else "0 s"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value / 1000:.3g} K" if value >= 1000 else f"{value:.3g}"
