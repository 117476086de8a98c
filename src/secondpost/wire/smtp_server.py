"""The server's side of an SMTP session (RFC 5321, 6409) without I/O: bytes in; replies in `output` and events out.

Rule: what a session does depends on the bytes, not on how they were cut into pieces; only CRLF.CRLF ends a message.
"""

from secondpost.wire import server_replies as say
from secondpost.wire.server_content import BLOCK, TOO_BIG, Content, canonical
from secondpost.wire.server_dialogue import COMMANDS, TLS_HELLO, UNKNOWN, Dialogue
from secondpost.wire.server_grammar import Bad
from secondpost.wire.server_profile import (
    BODY,
    BODY_START,
    CHUNK,
    CLOSED,
    COMMAND,
    DRAIN,
    LOGIN,
    WAIT,
    Authenticate,
    Block,
    Check,
    Discard,
    Event,
    Letter,
    Profile,
    ServerLimits,
    StartTls,
)

__all__ = [
    "Authenticate",
    "Block",
    "Check",
    "Discard",
    "Event",
    "Letter",
    "Profile",
    "ServerLimits",
    "Session",
    "StartTls",
]

COMMAND_LIMIT = 4096  # with its CRLF
_DOT = b"\r\n."
_END = b"\r\n.\r\n"
_ENDS_BEGUN = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")
_NOTHING: list[Event] = []  # shared, since most calls bring no event: nobody may change it


class Session(Dialogue):
    """Give bytes to `receive`, write what `take_output` gives, answer the events, and hang up when `closed`."""

    def _begin(self) -> None:
        super()._begin()
        self._held = b""  # what arrived and could not be used yet
        self._scanned = 0  # bytes of it in which the message does not end

    @property
    def closed(self) -> bool:
        return self.mode == CLOSED

    @property
    def held(self) -> int:
        """Bytes kept in memory. The rim stops reading while they are many and an answer of its own is awaited."""
        return len(self._held)

    def take_output(self) -> bytes:
        """What to write now."""
        output, self.output = self.output, b""
        return output

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived."""
        if self._held:
            data = self._held + data
        self._advance(data)
        return self._take_events()

    def answer(self, reply: bytes) -> list[Event]:
        """What becomes of the last `Letter`; goes on with what arrived meanwhile."""
        self._content = None
        self._reset()
        if reply.startswith(b"2"):
            self._errors = self._junk = 0
        return self._resume(reply)

    def authenticated(self, client: str) -> list[Event]:
        """The answer to `Authenticate`: who it is, or an empty name."""
        if client:
            self.client = client
            self._bar()
            return self._resume(say.LOGGED_IN)
        self._logins += 1
        if self._logins < self._profile.limits.logins:
            return self._resume(say.WRONG_LOGIN)
        self.hang_up(say.WRONG_LOGIN + say.TOO_MANY_LOGINS)
        return self._take_events()

    def refused_login(self, reply: bytes) -> list[Event]:
        """Another answer to `Authenticate`: not now."""
        return self._resume(reply)

    def secured(self) -> None:
        """The answer to `StartTls`: the handshake is done."""
        self.tls = True
        self._begin()

    def _resume(self, reply: bytes) -> list[Event]:
        if self.mode == CLOSED:
            return _NOTHING
        self.output += reply
        self.mode = COMMAND
        if self._held:
            self._advance(self._held)
        return self._take_events()

    def _take_events(self) -> list[Event]:
        if not self._events:
            return _NOTHING
        events, self._events = self._events, []
        return events

    def _advance(self, data: bytes) -> None:
        """Use as much of `data` as can be used; keep the rest."""
        position, before, size = 0, -1, len(data)
        while before < position < size:
            before = position
            if self.mode <= LOGIN:
                position = self._line(data, position)
            elif self.mode <= BODY:
                position = self._body(data, position)
            elif self.mode == CHUNK:
                position = self._chunk(data, position)
        self._held = data[position:] if position < size and self.mode != CLOSED else b""

    # ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _line(self, data: bytes, position: int) -> int:
        end = data.find(b"\r\n", position, position + COMMAND_LIMIT)
        if end < 0:
            self._check_begun(data[position : position + COMMAND_LIMIT])
            return position
        line = data[position:end]
        if b"\n" in line or b"\r" in line:
            self._check_begun(line + b"\n")
            return position
        try:
            if self.mode == COMMAND:
                reply = COMMANDS.get(line.partition(b" ")[0].upper(), UNKNOWN)(self, line)
            else:
                reply = self._login_line(line)
        except Bad as bad:
            reply = self._error(bad.reply)
        if self.mode > LOGIN:
            reply = self._changed(reply, talked_ahead=end + 2 < len(data))
        self.output += reply
        return end + 2

    def _check_begun(self, line: bytes) -> None:
        """Hang up on a line that can no longer become a command, without waiting for its end (S3)."""
        if line[0] == TLS_HELLO:
            self.mode = CLOSED
        elif len(line) >= COMMAND_LIMIT or b"\n" in line or b"\r" in line[:-1]:
            self.hang_up(say.BAD_LINE)

    def _changed(self, reply: bytes, *, talked_ahead: bool) -> bytes:
        """What follows a command that is no longer only a dialogue."""
        if self.mode == CHUNK and not self._left:
            self._end_chunk()
            return reply
        alone = self.mode == BODY_START or (self.mode == WAIT and isinstance(self._events[-1], StartTls))
        if alone and talked_ahead:
            # S4, S10: what was sent before our answer was not meant as content, or came from somebody else.
            self._events.clear()
            self.mode = CLOSED
            return say.TALKED_AHEAD
        return reply

    # ── DATA ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _body(self, data: bytes, position: int) -> int:
        if self.mode == BODY_START:
            if data.startswith(b".", position):
                return self._dot_first(data, position)
            self.mode = BODY
        dot = data.find(_DOT, position + self._scanned)
        if dot == len(data) - 5 and data.endswith(_END) and not self._scanned:
            # The usual case: everything came at once, and the first dot that begins a line is the one that ends it.
            self._end_body(data[position : dot + 2])
            return len(data)
        end = data.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            self._scanned = 0
            self._end_body(_unstuffed(data[position : end + 2]))
            return end + 5
        if self._content is None and len(data) - position <= BLOCK:
            self._scanned = max(0, len(data) - position - 4)
            return position
        return self._stream(data, position)

    def _dot_first(self, data: bytes, position: int) -> int:
        """A dot in the first line, whose CRLF is that of the command DATA (RFC 5321 section 4.1.1.4)."""
        start = data[position : position + 3]
        if start == b".\r\n":
            self._end_body(b"")
            return position + 3
        if b".\r\n".startswith(start):
            return position
        self.mode = BODY
        return position + 1

    def _stream(self, data: bytes, position: int) -> int:
        """Hand on what surely is content; what may be the beginning of its end, or of a stuffed dot, waits."""
        self._scanned = 0
        end = len(data) - next((len(begun) for begun in _ENDS_BEGUN if data.endswith(begun)), 0)
        end = max(end, position)
        self._feed(_unstuffed(data[position:end]))
        return end

    def _end_body(self, content: bytes) -> None:
        self.mode = COMMAND
        fits = len(content) <= min(BLOCK, self._profile.limits.message)
        if self._content is None and fits and canonical(content):
            self._letter(content, eight_bit=not content.isascii())
            return
        self._feed(content)
        if self.mode != CLOSED:
            self._end_content()

    # ── BDAT ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _chunk(self, data: bytes, position: int) -> int:
        piece = data[position : position + self._left]
        self._left -= len(piece)
        if not self._failed:
            self._feed(piece)
        if not self._left and self.mode != CLOSED:
            self._end_chunk()
        return position + len(piece)

    def _end_chunk(self) -> None:
        self.mode = COMMAND
        if self._failed:
            # RFC 3030 section 2: chunks that were on their way already are taken and thrown away.
            self.output += self._idle(self._failed)
            self._failed = say.IN_CHUNKS
        elif self._last:
            self._end_content()
            return
        elif self._content is not None and self._content.fault:
            self._refuse_content()
            self._failed = say.IN_CHUNKS
        else:
            self.output += say.CHUNK_OK
        if self._last:
            self._reset()

    # ── both ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _feed(self, piece: bytes) -> None:
        profile = self._profile
        if self._content is None:
            self._content = Content(limit=profile.limits.message, normalize=profile.normalize)
        self._events += [Block(block) for block in self._content.feed(piece)]
        if self._content.size > profile.limits.message + DRAIN:
            self.hang_up(TOO_BIG)

    def _end_content(self) -> None:
        content = self._content
        if content is None:  # BDAT 0 LAST and nothing else
            self._letter(b"", eight_bit=False)
            return
        self._events += [Block(block) for block in content.finish()]
        if content.fault:
            self._refuse_content()
            self._reset()
        else:
            self._letter(content.first, eight_bit=content.eight_bit)

    def _refuse_content(self) -> None:
        content, self._content = self._content, None
        assert content is not None
        self.output += self._error(content.fault)
        if content.streaming:
            self._events.append(Discard())

    def _letter(self, content: bytes, *, eight_bit: bool) -> None:
        assert self._sender is not None
        self._events.append(
            Letter(self._sender, tuple(self._recipients), content, eight_bit, self._smtputf8, self._dsn)
        )
        self.mode = WAIT


def _unstuffed(data: bytes) -> bytes:
    """Without the dots that RFC 5321 section 4.5.2 makes clients add."""
    return data.replace(b"\r\n.", b"\r\n") if b"\r\n." in data else data
