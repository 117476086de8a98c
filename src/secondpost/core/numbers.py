"""Whole numbers as people, programs and the links of our own pages write them.

Rule: plain digits and nothing else; what no column of a database could hold is no number.
"""

_DIGITS = 18  # the highest number of SQLite has nineteen


def whole(text: str) -> int | None:
    """The number that `text` is; None if it is none, or has a sign, a space, or more digits than any number of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
