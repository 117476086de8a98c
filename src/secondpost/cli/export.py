"""Writing rows of the log to a file, with a progress bar.

Rule: the file appears whole or not at all, and no cell of a CSV file can act as a formula.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from secondpost.cli import progress
from secondpost.errors import SecondpostError
from secondpost.service import export

Row = dict[str, Any]


def write(path: str, form: str, fetch: Callable[[Callable[[Row], None]], object]) -> int:
    """Write what `fetch` hands out; returns the number of rows."""
    count = 0
    with _opened(path) as file, progress.counting("exported", shown=path != "-") as step:
        put = _csv(file) if form == "csv" else _lines(file)

        def one(row: Row) -> None:
            nonlocal count
            put(row)
            count += 1
            step()

        fetch(one)
    return count


def _csv(file: TextIO) -> Callable[[Row], None]:
    file.write(export.csv_line(export.COLUMNS))
    return lambda row: print(export.csv_line(export.cells(row)), end="", file=file)


def _lines(file: TextIO) -> Callable[[Row], None]:
    return lambda row: print(json.dumps(row, ensure_ascii=False), file=file)


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    """The file to write to; one with a name gets it when it is complete."""
    if path == "-":
        yield sys.stdout
        return
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SecondpostError(f"{path} cannot be written: {error.strerror or error}. Nothing is left of it.") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise
