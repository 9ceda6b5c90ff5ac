"""The library's counters and histograms, for what is counted with every message: they go to the value by a shorter way."""

from __future__ import annotations

from bisect import bisect_left

import prometheus_client


class Counter(prometheus_client.Counter):
    def _metric_init(self) -> None:
        super()._metric_init()
        # of a series, which always has a value: the library asks each time whether labels are missing
        self.inc = self._value.count  # type: ignore[method-assign]


class Histogram(prometheus_client.Histogram):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Note one amount. Exemplars are not kept."""
        self._sum.inc_with(amount, self._buckets[bisect_left(self._upper_bounds, amount)])
