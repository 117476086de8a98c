"""The metrics: counts and states for Prometheus, made when they are asked for.

Rule: the hot path only adds to plain integers; labels name connections and states, never people.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from secondpost.core import breaker
from secondpost.errors import StoreError
from secondpost.service.worker import Worker
from secondpost.store.base import Store
from secondpost.store.log import Depth


@dataclass(slots=True, eq=False)
class Metrics:
    """What the gateway counts since it started, and how things stand now."""

    store: Store
    worker: Worker
    _depth: list[Depth] = field(default_factory=list)

    async def render(self) -> str:
        """The page in Prometheus' text format. A store in trouble takes away only what it alone can tell."""
        try:
            self._depth = await self.store.depth()
        except StoreError:
            self._depth = []
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterable[Metric]:
        yield self._queue()
        yield self._breakers()
        yield self._outcomes()
        yield GaugeMetricFamily(
            "secondpost_held_messages", "Messages in memory, on their way", value=self.worker.room.count
        )
        yield GaugeMetricFamily("secondpost_held_bytes", "Their bytes", value=self.worker.room.bytes)
        yield GaugeMetricFamily(
            "secondpost_suspended", "1 while nothing is sent, since results cannot be written down",
            value=float(self.worker.suspended),
        )  # fmt: skip

    def _queue(self) -> Metric:
        family = GaugeMetricFamily("secondpost_queue_deliveries", "Open deliveries", labels=["state", "priority"])
        counts: Counter[tuple[str, str]] = Counter()
        for depth in self._depth:
            counts[depth.state.value, depth.priority.label] += depth.count
        for (state, priority), count in counts.items():
            family.add_metric([state, priority], count)
        return family

    def _breakers(self) -> Metric:
        family = GaugeMetricFamily(
            "secondpost_breaker_state", "1 for the state it is in", labels=["connection", "state"]
        )
        for line in self.worker.ways.lines.values():
            for state in breaker.State:
                family.add_metric([line.name, state.value], float(line.breaker.state is state))
        return family

    def _outcomes(self) -> Metric:
        family = CounterMetricFamily(
            "secondpost_outcomes", "Recipients by outcome", labels=["connection", "outcome", "fault", "backup"]
        )
        for (connection, outcome, fault, backup), count in self.worker.outcomes.items():
            family.add_metric([connection, outcome, fault, backup], count)
        return family
