"""The id of a message: 63 bits, ordered by time, and its short text for people.

Rule: a later id of one process is greater than an earlier one, so ids sort by acceptance and never repeat.
"""

EPOCH = 1_577_836_800_000  # 2020-01-01T00:00:00Z in Unix milliseconds; 41 bits from there last until 2089
LENGTH = 13

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_DIGITS = {letter: value for value, digit in enumerate(_ALPHABET) for letter in (digit, digit.upper())}
_DIGITS |= {"o": 0, "O": 0, "i": 1, "I": 1, "l": 1, "L": 1}  # what people read for 0 and 1
_HIGHEST = (1 << 63) - 1


def new_id(milliseconds: int, chance: int) -> int:
    """A new id at `milliseconds` of Unix time. `chance` gives the lower 22 bits; more bits are ignored."""
    return min(max(milliseconds - EPOCH, 0) << 22 | (chance & 0x3FFFFF), _HIGHEST)


def following_id(last: int, milliseconds: int, chance: int) -> int:
    """A new id greater than `last`, so that one process never gives an id twice, even if the clock steps back."""
    return max(new_id(milliseconds, chance), last + 1)


def milliseconds(number: int) -> int:
    """The Unix time at which an id was drawn."""
    return (number >> 22) + EPOCH


def id_text(number: int) -> str:
    """The id as people see it: 13 characters that sort as the number does."""
    return (
        _ALPHABET[number >> 60]
        + _PAIRS[number >> 50 & 1023]
        + _PAIRS[number >> 40 & 1023]
        + _PAIRS[number >> 30 & 1023]
        + _PAIRS[number >> 20 & 1023]
        + _PAIRS[number >> 10 & 1023]
        + _PAIRS[number & 1023]
    )


def parse_id(text: str) -> int:
    """The id that `text` stands for, in either case. Raises ValueError that says what an id looks like."""
    number = 0
    try:
        for character in text:
            number = number << 5 | _DIGITS[character]
    except KeyError:
        number = -1
    if len(text) != LENGTH or not 0 <= number <= _HIGHEST:
        raise ValueError(
            f"{text[:40]!r} is not a message id: one has {LENGTH} digits and letters, such as '0bn4v6kq2x7rd'. "
            "Copy it from the log or from the answer to the submission."
        )
    return number
