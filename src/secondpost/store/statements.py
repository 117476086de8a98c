"""SQL in files: each statement is named by the comment line before it (`-- lease_due: claim …`).

Rule: no SQL is put together in Python. What several statements of a file share is a fragment, named in braces; it may
have fragments, too.
"""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"

_NAME = re.compile(r"^-- ([a-z_]+): .*$", re.MULTILINE)
_SHARED = re.compile(r"\{([a-z_]+)\}")


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of one file below `sql/`, by name."""
    parts = _NAME.split((FOLDER / f"{file}.sql").read_text(encoding="utf-8"))
    found = {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    shared = {name for text in found.values() for name in _SHARED.findall(text)}

    def whole(text: str) -> str:
        return _SHARED.sub(lambda match: whole(found[match[1]]), text)

    return {name: whole(text) for name, text in found.items() if name not in shared}
