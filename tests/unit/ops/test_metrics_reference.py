"""docs/metrics.md is what the code says; label values are listed; the dashboards are what their source says (O-6, S-44)."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from gateway import maillog
from gateway.metrics import reference, values

ROOT = Path(__file__).parents[3]
UNITS = ("_seconds", "_bytes", "_fds", "_inodes")  # what a name may end in beside a count of things


def test_the_page_is_what_the_metrics_say() -> None:
    """Mended by: python -m gateway.metrics.reference > docs/metrics.md"""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.metrics.reference"], cwd=ROOT, capture_output=True, check=True
    )
    assert (ROOT / "docs" / "metrics.md").read_bytes() == done.stdout


@pytest.mark.parametrize("one", reference.described(), ids=lambda one: one.name)
def test_each_metric_tells_what_it_means_and_what_its_labels_are(one: reference.Described) -> None:
    """S-44: a label that is neither listed nor known to be a name from the postmaster's files is not bounded."""
    assert re.fullmatch(r"gateway_[a-z]+(_[a-z]+)*", one.name)
    assert len(one.meaning) > 10
    assert not one.meaning.endswith(".")
    assert one.name.endswith("_total") == (one.kind == "counter")
    if one.kind == "histogram":
        assert one.name.endswith(UNITS)
    for label in one.labels:
        assert label in values.LISTED.get(one.family, {}) or label in values.OPEN, f"list the values of {label}"


def test_nothing_is_listed_that_is_not_there() -> None:
    there = {one.family: set(one.labels) for one in reference.described()}
    assert {name: set(labels) - there.get(name, set()) for name, labels in values.LISTED.items()} == {
        name: set() for name in values.LISTED
    }


def test_fates_are_verbs_of_the_log() -> None:
    assert set(values.FATES) < set(get_args(maillog.Verb))


@pytest.mark.parametrize("language", ["en", "vi"])
def test_dashboards_are_made_from_their_source(language: str) -> None:
    """Mended by: python deploy/grafana/make.py"""
    maker = runpy.run_path(str(ROOT / "deploy" / "grafana" / "make.py"))
    file = ROOT / "deploy" / "grafana" / f"gateway.{language}.json"
    assert file.read_text(encoding="utf-8") == maker["written"](language)


def test_panels_have_places_of_their_own_and_say_what_they_show() -> None:
    loaded = json.loads((ROOT / "deploy" / "grafana" / "gateway.vi.json").read_text(encoding="utf-8"))
    panels = loaded["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
    assert {variable["name"] for variable in loaded["templating"]["list"]} == {"datasource", "instance"}


def test_both_languages_show_the_same() -> None:
    source = yaml.safe_load((ROOT / "deploy" / "grafana" / "panels.yaml").read_text(encoding="utf-8"))
    for row in source["rows"]:
        for told in [row["title"], *(panel[key] for panel in row["panels"] for key in ("title", "text"))]:
            assert told.keys() == {"en", "vi"}
            assert told["en"] != told["vi"] or told["en"] == "CPU"
