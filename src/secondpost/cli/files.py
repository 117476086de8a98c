"""Files that a command is given.

Rule: an unreadable file is an error that names it, before anything is sent.
"""

import base64
import sys
from pathlib import Path

from secondpost.errors import SecondpostError


def read(name: str, limit: int) -> bytes:
    """A file's content, or that of standard input for "-"; at most `limit` bytes."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this cannot be the name of a file"
        raise SecondpostError(f"The file {name!r} cannot be read: {reason}. Nothing was done.") from None
    if len(data) > limit:
        raise SecondpostError(
            f"The file {name!r} is larger than {limit} bytes (smtp.max_message_bytes). Nothing was done."
        )
    return data


def text(name: str, limit: int) -> str:
    """The same as text."""
    try:
        return read(name, limit).decode()
    except UnicodeDecodeError:
        raise SecondpostError(f"The file {name!r} is not UTF-8 text. Save it as UTF-8. Nothing was done.") from None


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
