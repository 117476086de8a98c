"""reference/metrics.md: every metric, as the gateway describes it."""

from made.tables import code, table

from secondpost import app, config
from secondpost.entrypoints.metrics import Metrics


def part() -> str:
    """Nothing is opened: the parts of a gateway are put together, and asked what they would tell."""
    core = app.build(config.load(environ={}))
    rows = [
        (code(family.name + ("_total" if family.type == "counter" else "")), family.type, _labels(family), family.documentation)
        for family in Metrics(core.store, core.worker).collect()
    ]
    return table(("metric", "type", "labels", "what it is"), rows)


def _labels(family: object) -> str:
    return ", ".join(code(name) for name in getattr(family, "_labelnames", ())) or "–"
