"""SQL in files: each statement is named by the comment line before it (`-- lease_due: claim …`).

Rule: no SQL is put together in Python.
"""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"

_NAME = re.compile(r"^-- ([a-z_]+): .*$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of one file below `sql/`, by name."""
    parts = _NAME.split((FOLDER / f"{file}.sql").read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
