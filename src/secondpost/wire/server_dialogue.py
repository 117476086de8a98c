"""What an SMTP server answers to each command (RFC 5321 section 4), and what a session remembers between them.

Rule: one line in, one reply out. The bytes of messages are none of this file's business; `smtp_server` cuts them out.
"""

from collections.abc import Callable

from secondpost.wire import server_grammar as grammar
from secondpost.wire import server_replies as say
from secondpost.wire.server_content import TOO_BIG, Content
from secondpost.wire.server_profile import (
    BODY_START,
    CHUNK,
    CLOSED,
    COMMAND,
    DRAIN,
    LOGIN,
    WAIT,
    Authenticate,
    Check,
    Discard,
    Event,
    Profile,
    StartTls,
)

TLS_HELLO = 0x16
_HTTP = frozenset(b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI".split())


class Dialogue:
    """`trusted`: may send without a log-in. `login`: there are credentials. `tls_offered`: STARTTLS can be done."""

    def __init__(
        self,
        profile: Profile,
        *,
        trusted: bool = False,
        login: bool = False,
        plaintext_login: bool = False,
        tls_offered: bool = False,
        tls: bool = False,
    ) -> None:
        self._profile = profile
        self._trusted, self._login, self._plaintext_login = trusted, login, plaintext_login
        self._tls_offered, self.tls = tls_offered, tls
        self.output = profile.greeting
        self._errors = self._junk = self._logins = 0
        self._events: list[Event] = []
        self._content: Content | None = None
        self._begin()

    def _begin(self) -> None:
        """As if the client had just come (RFC 3207 section 4.2: after STARTTLS nothing is remembered)."""
        self.mode = COMMAND
        self.helo = self.client = ""
        self.check_sender: Check | None = None
        self._bar()
        self._left, self._last, self._failed = 0, False, b""
        self._asked, self._user = b"", ""
        self._reset()

    def _reset(self) -> None:
        """Forget the transaction."""
        if self._content is not None:
            if self._content.streaming:
                self._events.append(Discard())
            self._content = None
        self._failed = b""
        self._sender: str | None = None
        self._recipients: dict[str, None] = {}  # in order, each once
        self._smtputf8 = False
        self._dsn: dict[str, str] | None = None

    @property
    def in_transaction(self) -> bool:
        return self._sender is not None

    def hang_up(self, reply: bytes) -> None:
        """Say a last thing."""
        self.output += reply
        self.mode = CLOSED

    def _error(self, reply: bytes) -> bytes:
        """A wrong command. Errors are counted from one message to the next."""
        self._errors += 1
        if self._errors < self._profile.limits.errors:
            return reply
        self.mode = CLOSED
        return reply + say.TOO_MANY_ERRORS

    def _idle(self, reply: bytes) -> bytes:
        """A command that leads nowhere. A refused address is one too: a list with ten bad ones is no attack."""
        self._junk += 1
        if self._junk <= self._profile.limits.junk:
            return reply
        self.mode = CLOSED
        return reply + say.TOO_MUCH_JUNK

    # ── the transaction ─────────────────────────────────────────────────────────────────────────────────────────────

    def mail(self, line: bytes) -> bytes:
        if self._barred or self._sender is not None:
            return self._error(self._barred or say.HAVE_SENDER)
        match = grammar.plain_mail(line)
        if match is None or len(match[1]) > grammar.SIMPLE_LIMIT or self.check_sender is not None:
            return self._mail_with_care(line)
        self._sender = match[1].decode()
        return say.SENDER_OK

    def _mail_with_care(self, line: bytes) -> bytes:
        path, parameters = grammar.mail(line)
        utf8 = b"SMTPUTF8" in parameters
        sender = grammar.address(path, smtputf8=utf8, bad=say.BAD_SENDER) if path else ""
        if int(parameters.get(b"SIZE", b"0")) > self._profile.limits.message:
            return self._idle(TOO_BIG)
        if sender and self.check_sender is not None and (refusal := self.check_sender(sender)):
            return self._idle(say.refusal(refusal))
        self._dsn = {key.decode(): parameters[key].decode() for key in (b"RET", b"ENVID") if key in parameters} or None
        self._sender, self._smtputf8 = sender, utf8
        return say.SENDER_OK

    def rcpt(self, line: bytes) -> bytes:
        if self._sender is None or self._content is not None or self._failed:
            return self._error(say.NO_SENDER if self._sender is None else say.IN_CHUNKS)
        if len(self._recipients) >= self._profile.limits.recipients:
            return say.TOO_MANY_RECIPIENTS  # RFC 5321 section 4.5.3.1.10: the others stand
        match = grammar.plain_rcpt(line)
        if match is None or len(match[1]) > grammar.SIMPLE_LIMIT:
            return self._rcpt_with_care(line)
        self._recipients[match[1].decode()] = None
        return say.RECIPIENT_OK

    def _rcpt_with_care(self, line: bytes) -> bytes:
        path, parameters = grammar.rcpt(line)
        recipient = grammar.address(path, smtputf8=self._smtputf8, bad=say.BAD_RECIPIENT)
        for key, value in parameters.items():
            self._dsn = self._dsn or {}
            self._dsn[f"{key.decode()} {recipient}"] = value.decode(errors="replace")
        self._recipients[recipient] = None
        return say.RECIPIENT_OK

    def data(self, line: bytes) -> bytes:
        if not self._recipients or len(line) > 4:
            return self._error(self._no_data(line))
        if self._content is not None or self._failed:
            return self._error(say.IN_CHUNKS)
        self.mode = BODY_START
        return say.GO_AHEAD

    def _no_data(self, line: bytes) -> bytes:
        if line[4:].strip():
            return say.NO_ARGUMENT
        return say.NO_SENDER if self._sender is None else say.NO_RECIPIENTS

    def bdat(self, line: bytes) -> bytes:
        try:
            self._left, self._last = grammar.size_of(line)
        except grammar.Bad as bad:
            # Nobody knows where the chunk ends, and it must not be read as commands.
            self.mode = CLOSED
            return bad.reply
        taken = self._content.size if self._content else 0
        if self._left > self._profile.limits.message - taken + DRAIN:
            self.mode = CLOSED
            return TOO_BIG
        if not self._recipients and not self._failed:
            self._failed = say.NO_SENDER if self._sender is None else say.NO_RECIPIENTS
        self.mode = CHUNK
        return b""

    def rset(self, _line: bytes) -> bytes:
        self._reset()
        return self._idle(say.OK)

    # ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────

    def greet(self, line: bytes) -> bytes:
        return self._hello(line, self._profile.hello)

    def greet_extended(self, line: bytes) -> bytes:
        login = self._login and (self.tls or self._plaintext_login) and not self.client
        return self._hello(line, self._profile.offers(tls=self._tls_offered and not self.tls, login=login))

    def _hello(self, line: bytes, reply: bytes) -> bytes:
        name = line[5:].strip()
        if not name:
            return self._error(say.NO_NAME)
        self._reset()
        self.helo = say.printable(name)[:255].decode()
        return self._idle(reply)

    def _bar(self) -> None:
        """What has to come before MAIL (S5, S7). Not EHLO, as with Postfix: many small programs leave it out."""
        self._barred = b""
        if not self._trusted and not self.client:
            self._barred = say.NEED_LOGIN if self.tls or self._plaintext_login else say.NEED_TLS

    def starttls(self, line: bytes) -> bytes:
        if not self._tls_offered or self.tls:
            return self._error(say.HAVE_TLS if self.tls else say.NOT_OFFERED)
        if line[8:].strip():
            return self._error(say.NO_ARGUMENT)
        self.mode = WAIT
        self._events.append(StartTls())
        return say.READY_FOR_TLS

    def auth(self, line: bytes) -> bytes:
        if wrong := self._no_login():
            return self._error(wrong)
        mechanism, _, initial = line[5:].strip().partition(b" ")
        if mechanism.upper() not in (b"PLAIN", b"LOGIN"):
            return self._error(say.UNKNOWN_MECHANISM)
        self._asked = say.ASK_ANYTHING if mechanism.upper() == b"PLAIN" else say.ASK_USER
        if initial:
            return self._login_line(initial.strip())
        self.mode = LOGIN
        return self._asked

    def _no_login(self) -> bytes:
        if not self._login:
            return say.NOT_OFFERED
        if not (self.tls or self._plaintext_login):
            return say.NO_PLAIN_TEXT
        if not self.helo:
            return say.SAY_HELLO
        if self.client:
            return say.HAVE_LOGIN
        return say.IN_TRANSACTION if self.in_transaction else b""

    def _login_line(self, line: bytes) -> bytes:
        """The client's answer to what we `_asked`."""
        self.mode = COMMAND
        if line == b"*":
            return self._error(say.CANCELLED)
        if self._asked == say.ASK_USER:
            self._user = grammar.base64_text(line)
            self.mode, self._asked = LOGIN, say.ASK_SECRET
            return say.ASK_SECRET
        if self._asked == say.ASK_SECRET:
            asked = Authenticate(self._user, grammar.base64_text(line))
        else:
            asked = Authenticate(*grammar.plain(line))
        self._events.append(asked)
        self.mode = WAIT
        return b""

    def quit(self, _line: bytes) -> bytes:
        self.mode = CLOSED
        return say.BYE

    def noop(self, _line: bytes) -> bytes:
        return self._idle(say.OK)

    def vrfy(self, _line: bytes) -> bytes:
        return self._idle(say.CANNOT_VERIFY)

    def help(self, _line: bytes) -> bytes:
        return self._idle(say.HELP)

    def not_offered(self, _line: bytes) -> bytes:
        return self._error(say.NOT_OFFERED)

    def unknown(self, line: bytes) -> bytes:
        # S11: a browser that was lured here must not get as far as the lines of its body.
        if line[:1] == bytes([TLS_HELLO]) or line.partition(b" ")[0].upper() in _HTTP:
            self.mode = CLOSED
            return b""
        return self._error(say.UNKNOWN)


COMMANDS: dict[bytes, Callable[[Dialogue, bytes], bytes]] = {
    b"MAIL": Dialogue.mail,
    b"RCPT": Dialogue.rcpt,
    b"DATA": Dialogue.data,
    b"BDAT": Dialogue.bdat,
    b"RSET": Dialogue.rset,
    b"HELO": Dialogue.greet,
    b"EHLO": Dialogue.greet_extended,
    b"STARTTLS": Dialogue.starttls,
    b"AUTH": Dialogue.auth,
    b"QUIT": Dialogue.quit,
    b"NOOP": Dialogue.noop,
    b"VRFY": Dialogue.vrfy,
    b"HELP": Dialogue.help,
    b"EXPN": Dialogue.not_offered,
}
UNKNOWN = Dialogue.unknown
