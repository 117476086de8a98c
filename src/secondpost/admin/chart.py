"""Bar charts as SVG: where each bar stands, worked out here and drawn by a template.

Rule: pure geometry. What is not nothing can be seen, and the picture says nothing that the table beside it does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from secondpost.core.tally import Tally

WIDTH, HEIGHT = 960.0, 160.0
GAP = 0.18  # of a column
LEAST = 2.0  # how high the smallest bar is
MOST_NAMED = 7  # columns that all have their name below
# From the bottom up; the words that people read.
KINDS = {
    "primary": "sent by Primary", "backup": "sent by Backup", "unclear": "unclear", "failed": "failed",
    "waiting": "waiting",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bar:
    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """The bars of one step of time. `counts`: by the words of `KINDS`, what is not nothing."""

    start: datetime
    end: datetime
    bars: list[Bar]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    top: int  # what the upper edge stands for
    bands: list[tuple[float, float]]  # x and width of each period that is marked
    totals: dict[str, int]  # by kind, all kinds

    @property
    def labels(self) -> list[datetime]:
        """The times to write below: the start, three between, the end."""
        last = len(self.columns)
        starts = [column.start for column in self.columns] + [self.columns[-1].end]
        return [starts[last * place // 4] for place in range(5)]

    @property
    def few(self) -> list[Column]:
        """Columns to name below: all of a week, else about every fifth part."""
        every = 1 if len(self.columns) <= MOST_NAMED else -(-len(self.columns) // 5)
        return self.columns[every // 2 :: every]


def draw(
    tallies: Sequence[Tally], *, since: datetime, step: timedelta, marked: Sequence[tuple[datetime, datetime]] = ()
) -> Chart:
    """A column for each tally, one step of time after the other."""
    top = nice(max([_shown(tally) for tally in tallies], default=0))
    width = WIDTH / max(len(tallies), 1)
    columns = [
        Column(
            since + place * step, since + (place + 1) * step, _bars(tally, place * width, width, top), _counts(tally)
        )
        for place, tally in enumerate(tallies)
    ]
    end = since + len(tallies) * step
    bands = [_band(begin, until, since, end) for begin, until in marked if until > since and begin < end]
    totals = {kind: sum(getattr(tally, kind) for tally in tallies) for kind in KINDS}
    return Chart(columns, top, bands, totals)


def nice(number: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50 … that is not less."""
    unit = 1
    while True:
        for step in (1, 2, 5):
            if step * unit >= number:
                return step * unit
        unit *= 10


def _shown(tally: Tally) -> int:
    return sum(getattr(tally, kind) for kind in KINDS)


def _bars(tally: Tally, x: float, width: float, top: int) -> list[Bar]:
    """One upon the other."""
    y, bars = HEIGHT, []
    for kind in KINDS:
        if count := getattr(tally, kind):
            height = max(count / top * HEIGHT, LEAST)
            y -= height
            bars.append(Bar(kind, _short(x + GAP / 2 * width), _short(y), _short(width * (1 - GAP)), _short(height)))
    return bars


def _counts(tally: Tally) -> dict[str, int]:
    return {words: getattr(tally, kind) for kind, words in KINDS.items() if getattr(tally, kind)}


def _band(begin: datetime, until: datetime, since: datetime, end: datetime) -> tuple[float, float]:
    begin, until = max(begin, since), min(until, end)
    x = (begin - since) / (end - since) * WIDTH
    return _short(x), _short(max((until - begin) / (end - since) * WIDTH, LEAST))


def _short(number: float) -> float:
    return round(number, 2)
