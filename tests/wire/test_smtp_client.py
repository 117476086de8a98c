"""The client's side of SMTP against dialogues written as text, with the server's bytes cut in every place."""

from pathlib import Path
from typing import Any

import pytest

from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Deferred, Fault, Unclear
from secondpost.wire.client_envelope import GO, Transaction
from secondpost.wire.client_sign_in import Account
from secondpost.wire.client_transcript import LIMIT, render
from secondpost.wire.smtp_client import PIPELINED, Client, State
from tests.wire.replies import in_words

FOLDER = Path(__file__).parent.parent / "transcripts/client"
SECRET = "secret-canary"
SECRETS = (
    SECRET,
    "c2VjcmV0LWNhbmFyeQ==",
    "AHNob3AAc2VjcmV0LWNhbmFyeQ==",
    "dXNlcj1zaG9wAWF1dGg9QmVhcmVyIHNlY3JldC1jYW5hcnkBAQ==",
)
EXTENSIONS = "PIPELINING"


def words(outcome: Any) -> Any:
    match outcome:
        case None:
            return "open"
        case Accepted():
            return f"accepted {outcome.provider_id}".strip()
        case Unclear():
            return "unclear"
        case _:
            return in_words(outcome)


def unescape(text):
    return text.replace("\\s", " ").replace("\\r", "\r").replace("\\n", "\n")


class Play:
    """Plays one transcript. `cut`: how many bytes of each portion of the server come first; 0: one byte at a time."""

    def __init__(self, text, cut):
        self.cut = cut
        self.longest = 0
        self.said = b""
        self.pending = b""
        self.sent: dict[str, Any] = {}
        self.client = Client(Account(helo="client.example"))
        for line in text.splitlines():
            if line and not line.startswith("#"):
                self.play(line[0], line[1:].removeprefix(":").removeprefix(" "))
        self.flush()
        assert self.said == b"", "the client said more than the transcript"

    def play(self, kind, rest):
        if kind == "S":
            self.pending += rest.encode() + b"\r\n"
            return
        self.flush()
        match kind:
            case "!":
                self.options(rest.split())
            case "C":
                line, _, self.said = self.said.partition(b"\r\n")
                assert line.decode() == rest
            case ">":
                self.act(*rest.split(" "))
            case "=":
                self.expect(*rest.split(" ", 1))
            case _:
                raise AssertionError(kind)

    def flush(self):
        data, self.pending = self.pending, b""
        self.longest = max(self.longest, len(data))
        cuts = [data[: self.cut], data[self.cut :]] if self.cut else [data[i : i + 1] for i in range(len(data))]
        for piece in cuts:
            if piece:
                self.client.receive(piece)
                self.said += self.client.take_output()

    def options(self, options):
        given = dict(option.partition("=")[::2] for option in options)
        extensions = given.pop("extensions", EXTENSIONS).replace("_", " ").split(",")
        ready, used = "ready" in given, "used" in given
        account: Any = {name: value for name, value in given.items() if name not in ("ready", "used")}
        flags: Any = {name: bool(account.pop(name, "")) for name in ("starttls", "plaintext_auth", "chunking")}
        self.client = Client(Account(helo="client.example", **flags, **account))
        if ready:
            lines = "".join(f"250-{word}\r\n" for word in ("mx.example", *extensions)) + "250 HELP\r\n"
            self.client.receive(b"220 mx.example\r\n" + lines.encode())
            assert self.client.take_output() == b"EHLO client.example\r\n"
        if used:
            self.client.carried = 1

    def act(self, verb, name="", *rest):
        transaction: Any = self.sent.get(name)
        match verb:
            case "send":
                assert self.client.free
                self.sent[name] = self.transaction(name, rest)
                self.said += self.client.start(self.sent[name])
            case "cross":
                self.said += self.client.last_bytes(transaction)
            case "abandon":
                self.client.abandon(transaction, Deferred(Fault.LOCAL))
            case "detach":
                self.client.detach(transaction, "took too long")
            case "lost":
                self.client.lost("the server closed the connection")
            case "secured":
                self.client.secured()
                self.said += self.client.take_output()
            case _:
                raise AssertionError(verb)

    def transaction(self, name, rest):
        assert rest[0] == "from"
        assert rest[2] == "to"
        recipients, body = list(rest[3:]), "hello"
        if "with" in recipients:
            body = unescape(recipients.pop())
            recipients.pop()
        message = Message(f"Subject: {name}\r\n\r\n".encode(), f"{body}\r\n".encode())
        return Transaction(message, unescape(rest[1].replace("-", "")), [unescape(one) for one in recipients])

    def expect(self, what, rest=""):
        match what:
            case "state":
                assert self.client.state is State(rest)
            case "busy":
                assert not self.client.free
            case "failure":
                assert self.client.failure
                outcome, phase = self.client.failure
                assert f"{phase} {words(outcome)}" == rest
            case name:
                self.expect_of(self.sent[name], rest)

    def expect_of(self, transaction, rest):
        match rest:
            case "go":
                assert transaction.stage == GO
            case "stale" | "judged":
                assert transaction.stale is (rest == "stale")
            case _:
                assert " | ".join(words(outcome) for outcome in transaction.outcomes) == rest

    def transcripts(self):
        for transaction in (None, *self.sent.values()):
            yield render(self.client.log, transaction, SECRETS, self.client.ending)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_the_dialogue_is_the_same_wherever_the_bytes_are_cut(name):
    text = (FOLDER / f"{name}.txt").read_text()
    play = Play(text, cut=10**9)
    for cut in range(play.longest):
        Play(text, cut)
    for transcript in play.transcripts():
        assert not any(secret in transcript for secret in SECRETS)
        assert "hello" not in transcript
        assert transcript.replace("\n", "").isprintable()


def ready(*extensions, **account):
    client = Client(Account(helo="client.example", **account))
    lines = "".join(f"250-{word}\r\n" for word in extensions)
    client.receive(f"220 mx.example\r\n250-mx.example\r\n{lines}250 HELP\r\n".encode())
    client.take_output()
    assert client.state is State.READY
    return client


def test_a_transcript_reads_as_a_dialogue():
    client = Client(Account(helo="client.example", username="shop", password=SECRET, plaintext_auth=True))
    client.receive(b"220 mx\x1b\r\n")
    client.receive(b"250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n")
    client.receive(b"235 2.7.0 hello " + SECRET.encode() + b"\r\n")
    transaction = Transaction(Message(b"\r\n", b"private\r\n"), "shop@shop.example", ["bob@dest.example"])
    client.start(transaction)
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    client.last_bytes(transaction)
    client.receive(b"550-5.7.1 spam\r\n550 5.7.1 really\r\n")
    assert render(client.log, transaction, (SECRET,), "the end") == (
        "S: 220 mx\\x1b\n"
        "C: EHLO client.example\n"
        "S: 250-mx\nS: 250-PIPELINING\nS: 250 AUTH PLAIN\n"
        "C: AUTH PLAIN ****\n"
        "S: 235 2.7.0 hello ****\n"
        "C: MAIL FROM:<shop@shop.example>\nS: 250 ok\n"
        "C: RCPT TO:<bob@dest.example>\nS: 250 ok\n"
        "C: DATA\nS: 354 go\n"
        "C: <11 bytes of message>\n"
        "S: 550-5.7.1 spam\nS: 550 5.7.1 really\n"
        "-- the end"
    )


def test_a_transcript_is_bounded():
    client = ready("PIPELINING")
    transaction = Transaction(Message(b"\r\n", b""), "", [f"{'x' * 60}{n}@dest.example" for n in range(400)])
    client.start(transaction)
    client.receive(b"250 ok\r\n" + b"550 no\r\n" * 400 + b"503 no\r\n")
    text = render(client.log, transaction, ())
    assert len(text) <= LIMIT
    assert text.startswith("S: 220 mx.example")
    assert "[…]" in text
    assert text.endswith("S: 503 no")


def test_more_recipients_than_a_window_holds_are_named_step_by_step():
    client = ready("PIPELINING")
    transaction = Transaction(Message(b"\r\n", b""), "", [f"{n}@dest.example" for n in range(PIPELINED + 1)])
    assert client.start(transaction) == b"MAIL FROM:<>\r\n"
    client.receive(b"250 ok\r\n")
    assert client.take_output() == b"RCPT TO:<0@dest.example>\r\n"


def test_every_command_line_ends_in_crlf_and_has_no_other():
    client = ready("PIPELINING", "SMTPUTF8")
    transaction = Transaction(Message(b"\r\n", b""), "a@b", ["c@d", "e@f\u2028x", "g@h\x85i"])
    lines = client.start(transaction).split(b"\r\n")
    assert lines.pop() == b""
    assert not any(b"\r" in line or b"\n" in line for line in lines)
