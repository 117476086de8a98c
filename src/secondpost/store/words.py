"""How a search finds words: as FTS5 does, for messages that are not indexed yet and for the store in memory.

Rule: the words asked for stand side by side in the text, in this order; the last may be only begun. Case and accents
do not matter.
"""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)).lower())


def spells(text: str, asked: str) -> bool:
    """Whether `text` has the words of `asked`; without any words it has."""
    wanted, found = words(asked), words(text)
    last = len(wanted) - 1
    return last < 0 or any(
        found[start : start + last] == wanted[:last] and found[start + last].startswith(wanted[last])
        for start in range(len(found) - last)
    )


def hint(asked: str) -> str:
    """A LIKE pattern that every ASCII text fits that has the words of `asked`: its longest word."""
    return f"%{max(words(asked), key=len, default='')}%"


def match(*, subject: str, address: str) -> str | None:
    """The same as an FTS5 query; None when there are no words to look for."""
    asked = {"subject": words(subject), "address": words(address)}
    return " AND ".join(f'{column} : "{" ".join(found)}" *' for column, found in asked.items() if found) or None
