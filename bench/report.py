"""A measurement's result as a table: for a terminal, and for docs/benchmark.md."""

import os
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CORES = {1: "one core", 2: "two cores", 4: "four cores"}.get(os.cpu_count() or 1, f"{os.cpu_count()} cores")
INTRODUCTION = f"""\
# How fast, and compared with what

Measured by `./dev bench`: the gateway and Postfix (its defaults) take turns in one run on one machine ({CORES},
shared), on the same disk, with the same tools at both ends (Postfix's `smtp-source` and `smtp-sink`, where not said
otherwise). Numbers of another machine differ; the ratios are what to look at. Every message is on disk before it is
accepted, by both.

Each section is written by the measurement of its name: `./dev bench NAME`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a measurement found. Cells are ready to be shown."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = field(default_factory=tuple)

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.text, "", _row(self.columns), _row(["---"] * len(self.columns))]
        lines += [_row(row) for row in self.rows]
        return "\n".join([*lines, *(f"\n{remark}" for remark in self.remarks)])

    def plain(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.columns, *self.rows)
        ]
        return "\n".join([f"\n{self.title}", *lines, *self.remarks])


def rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def times(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.1f} ×" if theirs else "–"


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values) or [0.0])


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def write(name: str, section: Section, page: Path) -> None:
    """Put the section between its own two marks; the rest of the page is left as it is."""
    first, last = f"<!-- bench: {name} -->", f"<!-- end: {name} -->"
    block = f"{first}\n{section.markdown()}\n{last}"
    text = page.read_text() if page.exists() else INTRODUCTION
    found = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
    text = found.sub(lambda _: block, text) if found.search(text) else f"{text.rstrip()}\n\n{block}\n"
    page.parent.mkdir(exist_ok=True)
    page.write_text(text)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
