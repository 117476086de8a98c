"""Rows of the log as files: CSV, a spreadsheet, or the messages themselves in a zip.

Rule: strangers write subjects and addresses, so no cell can act as a formula, and no name in a zip is
theirs.
"""

import csv
import io
import zipfile
from typing import IO, Any

from secondpost.errors import SecondpostError

COLUMNS = ("id", "accepted", "status", "subject", "from", "to", "connection", "initiator", "size", "priority")
MOST_ROWS = 1_048_575  # of a spreadsheet, below its heading
MOST_MESSAGES = 1000  # in one zip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, Any]


def cell(value: Any) -> str:
    """A spreadsheet runs what begins with these signs."""
    text = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def cells(row: Row) -> list[str]:
    return [cell(row.get(column, "")) for column in COLUMNS]


def csv_line(values: list[str] | tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


class Spreadsheet:
    """An XLSX file, row by row; `save` writes it."""

    def __init__(self) -> None:
        from openpyxl import Workbook  # only who exports needs it

        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("Email Log")
        self._sheet.append(COLUMNS)
        self._count = 0

    def add(self, row: Row) -> None:
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

        self._count += 1
        if self._count > MOST_ROWS:
            raise SecondpostError(f"A spreadsheet has at most {MOST_ROWS:,} rows. Choose dates, or export as CSV.")
        self._sheet.append([ILLEGAL_CHARACTERS_RE.sub(" ", text) for text in cells(row)])

    def save(self, file: IO[bytes] | str) -> None:
        self._book.save(file)


class Letters:
    """Each message as an .eml named by its id, in a zip. What is not kept any more is listed in it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._missing: list[str] = []
        self.count = 0

    def add(self, id: str, content: bytes) -> None:
        if self.count == MOST_MESSAGES:
            raise SecondpostError(f"A zip takes at most {MOST_MESSAGES} messages. Choose fewer, or dates.")
        self._archive.writestr(f"{id}.eml", content)
        self.count += 1

    def miss(self, id: str, why: str) -> None:
        self._missing.append(f"{id}: {why}\n")

    def close(self) -> None:
        if self._missing:
            self._archive.writestr("not-kept.txt", "".join(self._missing))
        self._archive.close()
