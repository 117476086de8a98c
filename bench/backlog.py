"""A queue of a million: what it costs to start with it, and to work it off."""

from bench.report import Section


def measure(*, quick: bool) -> Section:
    raise RuntimeError("not yet")
