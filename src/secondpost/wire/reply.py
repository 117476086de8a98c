"""SMTP replies, read from bytes. What a negative one means is in `blame`.

Rule: a reply is bounded and well-formed, or it is none.
"""

import re
from typing import NamedTuple

MAX_LINE = 4096
MAX_LINES = 256
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\x00\r\n]*))?\r?\n")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?= |$)")


class Reply(NamedTuple):
    """One reply: its code, and the text of its lines."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def positive(self) -> bool:
        """25x. Another 2xx answers another command (220, 221, 235), so it is no answer to ours."""
        return self.code // 10 == 25

    @property
    def text(self) -> str:
        """The lines as one, without repeated status codes, safe to show."""
        if len(self.lines) == 1:
            return printable(self.lines[0])[:2000].strip()
        texts = [self.lines[0], *(line.removeprefix(self.status.encode()) for line in self.lines[1:])]
        return " ".join(printable(line.strip()) for line in texts).strip()[:2000]

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or ''."""
        found = _STATUS.match(printable(self.lines[0]))
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def printable(line: bytes) -> str:
    """Bytes from a peer as text for people: control characters are shown, not obeyed."""
    text = line.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


_ID = re.compile(r"(?:queued as|\bid[=:]) *<?([\w.@+/=-]+)|\b[Oo][Kk]:? +<?((?!queued|id[=:])[\w.@+/=-]{6,})")


def provider_id(text: str) -> str:
    """Their name for the message, where the reply to the dot tells it: "250 2.0.0 Ok: queued as 4D2F1"."""
    found = _ID.search(text)
    return (found[1] or found[2]) if found else ""


class Replies:
    """Reads replies from bytes in any portions. `error` says why nothing after the last good one can be read."""

    __slots__ = ("_code", "_left", "_lines", "error")

    def __init__(self) -> None:
        self.error = ""
        self._left = b""
        self._code = b""
        self._lines: list[bytes] = []

    @property
    def empty(self) -> bool:
        """Whether no part of a reply is waiting for its rest."""
        return not self._left and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now, in order."""
        if self._left:
            data = self._left + data
        found: list[Reply] = []
        position = 0
        while not self.error and (line := _LINE.match(data, position)):
            start, position = position, line.end()
            code, mark, text = line.groups()
            if position - start > MAX_LINE:
                self.error = "a reply line is too long"
            elif mark == b"-" or self._lines:
                self._multiline(code, mark, text or b"", found)
            else:
                found.append(Reply(int(code), (text or b"",)))
        self._left = data[position:]
        if self._left and not self.error and (b"\n" in self._left or len(self._left) > MAX_LINE):
            self.error = f"not an SMTP reply: {printable(self._left[:80])}"
        return found

    def _multiline(self, code: bytes, mark: bytes | None, text: bytes, found: list[Reply]) -> None:
        if self._lines and code != self._code:
            self.error = f"the code changes inside a reply, from {self._code.decode()} to {code.decode()}"
            return
        self._code = code
        self._lines.append(text)
        if mark != b"-":
            found.append(Reply(int(code), tuple(self._lines)))
            self._lines = []
        elif len(self._lines) >= MAX_LINES:
            self.error = f"a reply has more than {MAX_LINES} lines"
