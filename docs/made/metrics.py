"""reference/metrics.md: every metric, as the gateway describes it."""

import os

from made.tables import code, table
from secondpost import app, config
from secondpost.entrypoints.metrics import Metrics


def part() -> str:
    """Nothing is opened: the parts of a gateway are put together, and asked what they would tell."""
    core = app.build(config.load(environ={"SECONDPOST_CONFIG": os.devnull}, overrides={"smtp.hostname": "localhost"}))
    rows = []
    for family in Metrics(core.store, core.worker).collect():
        suffix = "_total" if family.type == "counter" else ""
        rows.append((code(family.name + suffix), family.type, _labels(family), family.documentation))
    return table(("metric", "type", "labels", "what it is"), rows)


def _labels(family: object) -> str:
    return ", ".join(code(name) for name in getattr(family, "_labelnames", ())) or "–"
