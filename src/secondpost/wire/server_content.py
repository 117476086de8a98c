"""The content of one message while it arrives: canonical line ends, bounds, and blocks beyond the first part.

Rule: nothing here decides where the message ends; what is wrong is remembered until the session has drained it.
"""

BLOCK = 65_536  # what stays in memory of a large message, the size of its further blocks, and the longest line
HEAD_LIMIT = 262_144  # the first part grows up to here until the header block is whole

BARE = b"550 5.6.11 The message has a bare CR, a bare LF or a NUL; end lines with CRLF. Nothing was stored\r\n"
LONG_LINE = b"550 5.6.0 The message has a line longer than 65536 bytes. Nothing was stored\r\n"
LONG_HEAD = b"552 5.3.4 The header block is longer than 262144 bytes. Nothing was stored\r\n"
TOO_BIG = b"552 5.3.4 The message is larger than we take. Nothing was stored\r\n"


def canonical(content: bytes) -> bool:
    """Every CR is followed by LF, every LF follows a CR, and there is no NUL. Three scans at the speed of memchr."""
    ends = content.count(b"\n")
    return content.count(b"\r\n") == ends == content.count(b"\r") and b"\0" not in content


def normalized(content: bytes) -> bytes:
    """`content` with every CR, LF and CRLF as one CRLF, and without NUL."""
    content = content.replace(b"\0", b"")
    if canonical(content):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


class Content:
    """Fed with unstuffed bytes. `first` is the beginning; what `feed` returns comes after it."""

    __slots__ = (
        "_cr",
        "_limit",
        "_line",
        "_normalize",
        "_pending",
        "_searched",
        "eight_bit",
        "fault",
        "first",
        "size",
        "streaming",
    )

    def __init__(self, *, limit: int, normalize: bool) -> None:
        self.first = b""
        self.size = 0  # as received
        self.fault = b""  # the reply that refuses it
        self.eight_bit = False
        self.streaming = False  # the first part is complete
        self._limit = limit
        self._normalize = normalize
        self._pending = bytearray()
        self._cr = b""  # held back: its LF may come with the next piece
        self._line = 0  # bytes of the line that is still open
        self._searched = 0  # bytes in which the header block does not end

    def feed(self, data: bytes) -> list[bytes]:
        """Take some more; returns blocks that are complete."""
        self.size += len(data)
        if self.size > self._limit:
            self.refuse(TOO_BIG)
        for start in range(0, len(data), BLOCK):
            if self.fault:
                break
            self._take(data[start : start + BLOCK])
        return self._blocks()

    def finish(self) -> list[bytes]:
        """The last blocks. A CR that is still held back is a bare one."""
        if self._cr and not self.fault:
            self._cr, last = b"", self._cr
            self._append(last)
        if self.fault:
            return []
        if not self.streaming:
            self.first = bytes(self._pending)
            return []
        return [*self._blocks(), bytes(self._pending)] if self._pending else self._blocks()

    def refuse(self, reply: bytes) -> None:
        """Remember what is wrong, and forget the rest."""
        self.fault = reply
        self.first = b""
        self._pending = bytearray()

    def _take(self, piece: bytes) -> None:
        if self._normalize:
            piece = piece.replace(b"\0", b"")
        if self._cr:
            piece, self._cr = self._cr + piece, b""
        if piece.endswith(b"\r"):
            piece, self._cr = piece[:-1], b"\r"
        self._append(piece)

    def _append(self, piece: bytes) -> None:
        if self._normalize:
            piece = normalized(piece)
        elif not canonical(piece):
            self.refuse(BARE)
            return
        if self._too_long(piece):
            self.refuse(LONG_LINE)
            return
        self.eight_bit = self.eight_bit or not piece.isascii()
        self._pending += piece
        if not self.streaming:
            self._cut_first()

    def _too_long(self, piece: bytes) -> bool:
        # A piece is hardly longer than BLOCK, so only the line that was open before it and its own last one count.
        first = piece.find(b"\r\n")
        if first < 0:
            self._line += len(piece)
            return self._line > BLOCK
        too_long = self._line + first > BLOCK
        self._line = len(piece) - piece.rfind(b"\r\n") - 2
        return too_long or self._line > BLOCK

    def _cut_first(self) -> None:
        pending = self._pending
        if len(pending) <= BLOCK:
            return
        end = -2 if pending.startswith(b"\r\n") else pending.find(b"\r\n\r\n", self._searched, HEAD_LIMIT)
        if end != -1:
            cut = max(BLOCK, end + 4)
            self.first, self._pending = bytes(pending[:cut]), pending[cut:]
            self.streaming = True
        elif len(pending) >= HEAD_LIMIT:
            self.refuse(LONG_HEAD)
        self._searched = len(pending) - 3

    def _blocks(self) -> list[bytes]:
        blocks: list[bytes] = []
        while self.streaming and len(self._pending) > BLOCK:
            blocks.append(bytes(self._pending[:BLOCK]))
            del self._pending[:BLOCK]
        return blocks
