"""Gauges of the process that serves /metrics: what it reads itself, and not what several processes count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str, ...]

ALL: Final[list[Reading]] = []


class Reading(Collector):
    """One gauge, whose label sets are replaced together, so that a route or state that is gone is not shown for ever.

    It has no sample until it is set: what has not been read is absent, not zero.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.documentation = documentation
        self.labels = tuple(labels)
        self._values: Mapping[Labels, float] = {}
        ALL.append(self)
        REGISTRY.register(self)

    def set(self, value: float) -> None:
        """The value of a gauge without labels."""
        self._values = {(): float(value)}

    def replace(self, values: Mapping[Labels, float]) -> None:
        """All samples by their label values, in the order of `labels`; those not named are gone."""
        self._values = dict(values)

    def clear(self) -> None:
        """It could not be read: absent until it is."""
        self._values = {}

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        return [family] if family.samples else []

    def describe(self) -> Iterable[Metric]:
        """For the registry, which would else collect to learn the name."""
        return [GaugeMetricFamily(self.name, self.documentation, labels=self.labels)]
