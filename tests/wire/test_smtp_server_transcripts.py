"""SMTP dialogues as plain text (tests/transcripts/server), played in one piece, split at every byte, and byte by byte.

A line `C:` is sent with CRLF; `C>` is sent as it stands, with Python's escapes. `S:` is how a line of the answer
begins, and `S: (hangs up)` is what it says. `L:` is a message that was handed over, and `R:` what the rim does then.
`!` sets the scene.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from secondpost.errors import Refusal
from secondpost.wire.smtp_server import Authenticate, Block, Letter, Profile, ServerLimits, Session, StartTls

FOLDER = Path(__file__).parents[1] / "transcripts" / "server"
HUNG_UP = "(hangs up)"


@dataclass
class Turn:
    """What the client sends at once, and what has to come of it."""

    sent: bytes = b""
    action: str = ""
    said: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)


@dataclass
class Transcript:
    name: str
    scene: dict[str, int] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=lambda: [Turn()])

    def session(self) -> Session:
        flags = dict(self.scene)
        limits = ServerLimits(**{key: flags.pop(key) for key in ServerLimits._fields if key in flags})
        profile = Profile(hostname="mx.example", limits=limits, normalize=bool(flags.pop("normalize", 0)))
        return Session(profile, **{key: bool(value) for key, value in flags.items()})


def read(path: Path) -> Transcript:
    transcript = Transcript(path.stem)
    for line in path.read_text().splitlines():
        kind, _, text = line.partition(" ")
        if kind == "!":
            pairs = (item.partition("=") for item in text.split())
            transcript.scene = {key: int(value) for key, _, value in pairs}
        elif kind in {"C:", "C>", "R:"}:
            _begin(transcript, kind, text)
        elif kind:
            assert kind in {"S:", "L:", "#"}, f"{path}: {line!r}"
            turn = transcript.turns[-1]
            {"S:": turn.said, "L:": turn.letters, "#": []}[kind].append(text)
    return transcript


def _begin(transcript: Transcript, kind: str, text: str) -> None:
    turn = transcript.turns[-1]
    if turn.said or turn.letters or turn.action or (turn.sent and kind == "R:"):
        transcript.turns.append(turn := Turn())
    if kind == "R:":
        turn.action = text
    else:
        turn.sent += text.encode() + b"\r\n" if kind == "C:" else _bytes(text)


def _bytes(text: str) -> bytes:
    value = ast.literal_eval(f"b'''{text}'''")
    assert isinstance(value, bytes)
    return value


def play(transcript: Transcript, *cuts: int, step: int = 0) -> None:
    """Play it with the client's bytes cut at these places, or into pieces of `step`."""
    session, sent, blocks = transcript.session(), 0, b""
    for turn in transcript.turns:
        events = []
        if turn.action:
            events += act(session, turn.action)
        for piece in pieces(turn.sent, [cut - sent for cut in cuts], step):
            events += session.receive(piece)
        sent += len(turn.sent)
        said = session.take_output().decode().splitlines() + ([HUNG_UP] if session.closed else [])
        assert len(said) == len(turn.said), (turn, said)
        for line, expected in zip(said, turn.said, strict=True):
            assert line.startswith(expected), (turn, said)
        blocks += b"".join(event.data for event in events if isinstance(event, Block))
        assert [shown(event) for event in events if not isinstance(event, Block)] == turn.letters, turn


def pieces(data: bytes, cuts: list[int], step: int) -> Iterator[bytes]:
    if step:
        cuts = list(range(step, len(data), step))
    before = 0
    for cut in cuts:
        if 0 < cut < len(data):
            yield data[before:cut]
            before = cut
    yield data[before:]


def shown(event: object) -> str:
    match event:
        case Letter():
            extra = " 8bit" * event.eight_bit + " utf8" * event.smtputf8 + (f" {event.dsn}" if event.dsn else "")
            return f"<{event.sender}> to {', '.join(event.recipients)}{extra}: {event.content!r}"
        case Authenticate():
            return f"log-in {event.identity!r} {event.secret!r}"
        case StartTls():
            return "starttls"
        case _:
            return type(event).__name__


def act(session: Session, action: str) -> list[object]:
    verb, _, rest = action.partition(" ")
    match verb:
        case "stored":
            return [*session.answer(b"250 2.0.0 Ok: queued as 1\r\n")]
        case "refuse":
            return [*session.answer(b"550 5.7.1 No\r\n")]
        case "log-in":
            return [*session.authenticated(rest)]
        case "sender":
            session.check_sender = lambda sender: None if sender == rest else Refusal(553, "5.7.1", "Not yours")
        case "secured":
            session.secured()
        case _:
            raise AssertionError(action)
    return []


TRANSCRIPTS = [read(path) for path in sorted(FOLDER.glob("*.txt"))]


@pytest.fixture(params=TRANSCRIPTS, ids=lambda transcript: transcript.name)
def transcript(request):
    return request.param


def test_dialogue(transcript):
    play(transcript)


def test_dialogue_byte_by_byte(transcript):
    play(transcript, step=1)


def test_dialogue_split_at_every_byte(transcript):
    for cut in range(1, sum(len(turn.sent) for turn in transcript.turns)):
        play(transcript, cut)


def test_dialogue_in_pieces_of_every_small_size(transcript):
    for step in range(2, 12):
        play(transcript, step=step)
