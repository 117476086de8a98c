"""How a search finds words: as FTS5 does, for messages that are not indexed yet and for the store in memory.

Rule: the words asked for stand side by side in the text, in this order; the last may be only begun, unless a whole
address was asked for. Case and accents do not matter.
"""

import re
import unicodedata

from secondpost.core.content import text_of

_WORD = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\W\d_]{2,}")


def words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)).lower())


def is_whole(asked: str) -> bool:
    """A whole address: its last word, which often millions of messages have, is not looked for as a beginning."""
    return _ADDRESS.fullmatch(asked.strip()) is not None


def spells(text: str, asked: str) -> bool:
    """Whether `text` has the words of `asked`; without any words it has."""
    wanted, found = words(asked), words(text)
    last = len(wanted) - 1
    if last < 0:
        return True
    runs = (found[start : start + last + 1] for start in range(len(found) - last))
    if is_whole(asked):
        return wanted in runs
    return any(run[:last] == wanted[:last] and run[last].startswith(wanted[last]) for run in runs)


def mentions(text: str, asked: str) -> bool:
    """Whether `asked` stands in the text as it is, in whatever case."""
    return asked.casefold() in text.casefold()


def says(start: bytes, body: bytes, *, head: str, content: str) -> bool:
    """Whether the header block mentions `head`, and the text `content`; what is empty is not asked for."""
    if head and not mentions(start.decode("utf-8", "replace"), head):
        return False
    return not content or mentions(text_of(start, body), content)


def hint(asked: str) -> str:
    """A LIKE pattern that every ASCII text fits that has the words of `asked`: its longest word."""
    return f"%{max(words(asked), key=len, default='')}%"


def match(*, subject: str, address: str) -> str | None:
    """The same as an FTS5 query; None when there are no words to look for."""
    parts = [_phrase(column, asked) for column, asked in (("subject", subject), ("address", address)) if words(asked)]
    return " AND ".join(parts) or None


def _phrase(column: str, asked: str) -> str:
    return f'{column} : "{" ".join(words(asked))}"' + ("" if is_whole(asked) else " *")
