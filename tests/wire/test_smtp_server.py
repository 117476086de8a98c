"""The SMTP server's state machine: what holds for every stream of bytes, however it is cut."""

import random
import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from secondpost.core import address
from secondpost.errors import Refusal
from secondpost.wire import server_grammar, server_replies
from secondpost.wire.server_content import BLOCK, HEAD_LIMIT
from secondpost.wire.server_profile import CLOSED, COMMAND, WAIT
from secondpost.wire.smtp_server import (
    Authenticate,
    Block,
    Discard,
    Event,
    Letter,
    Profile,
    ServerLimits,
    Session,
    StartTls,
)

PROFILE = Profile(hostname="mx.example")
ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"


class Driven:
    """A session with a rim that takes every message, and no log-in; it keeps all that came out."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.said = b""
        self.letters: list[tuple[str, tuple[str, ...], bytes]] = []
        self.blocks = b""
        self.discarded = 0

    def feed(self, *pieces: bytes) -> "Driven":
        for piece in pieces:
            events = self.session.receive(piece)
            while events:
                events = self._obey(events)
        self.said += self.session.take_output()
        return self

    def _obey(self, events: list[Event]) -> list[Event]:
        more: list[Event] = []
        for event in events:
            match event:
                case Letter():
                    self.letters.append((event.sender, event.recipients, event.content + self.blocks))
                    self.blocks = b""
                    more = self.session.answer(b"250 2.0.0 Ok: queued as 1\r\n")
                case Block():
                    assert 0 < len(event.data) <= BLOCK
                    self.blocks += event.data
                case Discard():
                    self.blocks = b""
                    self.discarded += 1
                case Authenticate():
                    more = self.session.authenticated("")
                case StartTls():
                    self.session.secured()
        return more

    @property
    def codes(self) -> list[bytes]:
        """Of the last lines of all replies."""
        return re.findall(rb"^(\d{3}) ", self.said, re.MULTILINE)

    @property
    def came_out(self):
        return self.said, self.letters, self.session.mode == CLOSED


def driven(**flags) -> Driven:
    profile = Profile(hostname="mx.example", normalize=flags.pop("normalize", False), limits=flags.pop("limits", None))
    return Driven(Session(profile, **({"trusted": True} | flags)))


def in_transaction(**flags) -> Driven:
    return driven(**flags).feed(ENVELOPE, b"DATA\r\n")


def cut(data: bytes, places) -> list[bytes]:
    bounds = [0, *sorted({place for place in places if 0 < place < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


# ── S1: the end of a message ────────────────────────────────────────────────────────────────────────────────────────

ENDINGS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\n\n.\n\n", b"\r\n.\r\r\n", b"\r\n .\r\n",
]  # fmt: skip
SMUGGLED = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nboo\r\n"


@pytest.mark.parametrize("normalize", [False, True], ids=["refused", "mended"])
@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
def test_s01_no_other_ending_splits_a_message_wherever_it_is_cut(ending, normalize):
    stream = b"Subject: x\r\n\r\nhello" + ending + SMUGGLED + b".\r\nQUIT\r\n"
    whole = in_transaction(normalize=normalize).feed(stream).came_out
    ways = [
        cut(stream, [first, second]) for first in range(len(stream)) for second in (first + 1, first + 2, first + 5)
    ]
    for pieces in [cut(stream, range(len(stream))), *ways]:
        played = in_transaction(normalize=normalize).feed(*pieces)
        assert played.came_out == whole
        assert played.codes[4:] in ([b"354", b"250", b"221"], [b"354", b"550", b"221"])
        assert [sender for sender, *_ in played.letters] in ([], ["a@example.com"])


@pytest.mark.parametrize("ending", ENDINGS[:-1], ids=repr)
def test_s01_a_chunk_with_bare_line_ends_is_refused_wherever_it_is_cut(ending):
    content = b"hello" + ending + SMUGGLED
    stream = b"BDAT %d LAST\r\n" % len(content) + content + b"QUIT\r\n"
    for place in range(len(stream)):
        played = driven().feed(ENVELOPE, *cut(stream, [place]))
        assert (played.codes[4:], played.letters) == ([b"550", b"221"], [])


@pytest.mark.parametrize("size", [BLOCK - 6, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 6, 3 * BLOCK])
def test_s01_the_end_is_found_at_every_place_around_a_block(size):
    for shift in range(8):
        content = b"x\r\n\r\n" + b"y" * 70 + b"\r\n" * ((size - 85) // 2) + b"z" * shift + b"\r\n..\r\n"
        stuffed = content.replace(b"\r\n..", b"\r\n...")
        for step in (997, 1448, 65_536, len(stuffed) + 3):
            stream = stuffed + b".\r\nQUIT\r\n"
            played = in_transaction().feed(*cut(stream, range(0, len(stream), step)))
            assert played.letters == [("a@example.com", ("b@example.org",), content)]
            assert played.codes[-2:] == [b"250", b"221"]


lines = st.lists(st.binary(max_size=12).map(lambda line: re.sub(rb"[\r\n\0]", b".", line)), max_size=12)
places = st.lists(st.integers(0, 300), max_size=8)


@given(lines, places)
@example([b".", b"..", b"", b"."], [1, 2, 3, 4, 5, 6])
def test_what_is_sent_is_what_arrives(text, where):
    content = b"".join(line + b"\r\n" for line in text)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in text)
    played = in_transaction().feed(*cut(stuffed + b".\r\n", where))
    assert played.letters == [("a@example.com", ("b@example.org",), content)]
    chunk = b"BDAT %d LAST\r\n" % len(content) + content
    assert driven().feed(ENVELOPE, *cut(chunk, where)).letters == played.letters


# ── any bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = [
    b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.org>\r\n", b"DATA\r\n",
    b"BDAT 5\r\n", b"BDAT 3 LAST\r\n", b"BDAT 0 LAST\r\n", b"RSET\r\n", b"NOOP\r\n", b"QUIT\r\n", b"AUTH PLAIN\r\n",
    b"AUTH LOGIN YQ==\r\n", b"AGEAYg==\r\n", b"STARTTLS\r\n", b"MAIL FROM:<\xc3\xbc@example.com> SMTPUTF8\r\n",
    b"VRFY x\r\n", b"\r\n.\r\n", b".\r\n", b"\r\n", b"\r", b"\n", b".", b"\0", b"x", b"\xff", b"*\r\n", b"x" * 5000,
    b"RCPT TO:<\"a b\"@example.org> NOTIFY=NEVER\r\n", b"y\r\n" * 30_000, b" ", b"<", b"=",
]  # fmt: skip
streams = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=25).map(b"".join)
FLAGS = [
    {},
    {"normalize": True},
    {"trusted": False, "login": True, "plaintext_login": True, "tls_offered": True},
    {"limits": ServerLimits(message=20, recipients=2, errors=1000, junk=1000)},
]


@settings(max_examples=400, deadline=None)
@given(streams, st.lists(st.integers(0, 2000), max_size=10), st.sampled_from(FLAGS))
def test_any_bytes_are_answered_and_the_cuts_make_no_difference(stream, where, flags):
    whole = driven(**flags).feed(ENVELOPE, stream)
    pieces = driven(**flags).feed(ENVELOPE, *cut(stream, where))
    for line in whole.said.splitlines(keepends=True):
        assert re.fullmatch(rb"(?:[2345]\d\d[ -][ -~]*)\r\n", line)
        assert len(line) <= 512
        assert re.match(rb"220 mx|250[ -](?:mx|8BIT|[A-Z])|334|354|([245])\d\d[ -]\1\.\d{1,3}\.\d{1,3} ", line), line
    assert whole.session.held <= len(stream) + BLOCK
    if server_replies.TALKED_AHEAD not in whole.said + pieces.said:  # which is about what came at once
        assert pieces.came_out == whole.came_out
        assert pieces.discarded == whole.discarded


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=50), st.sampled_from([b"", b"EHLO x\r\n", ENVELOPE, ENVELOPE + b"DATA\r\n"]))
def test_no_stream_without_end_is_kept_in_memory(piece, before):
    played = driven().feed(before)
    for _ in range(40):
        played.session.receive(piece * (10_000 // len(piece)))
        played.session.take_output()
        content = played.session._content
        kept = played.session.held + (len(content._pending) + len(content.first) if content else 0)
        assert kept <= HEAD_LIMIT + 2 * BLOCK or played.session.mode == WAIT
    assert played.session.mode != COMMAND or played.session.held <= 4096


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("length", "code"), [(4094, b"250"), (4095, b"500"), (1_000_000, b"500")])
def test_s03_a_command_line_has_at_most_4096_bytes(length, code):
    line = b"NOOP " + b"x" * (length - 5) + b"\r\n"
    for pieces in ([line], cut(line, range(0, 5000, 7)), cut(line, [4095]), cut(line, [4096]), cut(line, [4097])):
        played = driven().feed(*pieces)
        assert played.codes == [b"220", code]
        assert played.session.closed == (code == b"500")
        assert played.session.held == 0


def test_s03_a_line_without_end_is_refused_before_it_ends():
    played = driven().feed(b"x" * 4095)
    assert played.codes == [b"220"]
    assert played.feed(b"x").codes == [b"220", b"500"]


@pytest.mark.parametrize(("length", "code"), [(65_536, b"250"), (65_537, b"550")])
@pytest.mark.parametrize("step", [1000, 65_536, 1_000_000])
def test_a_line_of_text_has_at_most_64_kib(length, code, step):
    stream = b"Subject: x\r\n\r\n" + b"x\r\n" * 40_000 + b"y" * length + b"\r\n" + b"x\r\n" * 40_000 + b".\r\n"
    assert in_transaction().feed(*cut(stream, range(0, len(stream), step))).codes[-1] == code


@pytest.mark.parametrize(("size", "code"), [(HEAD_LIMIT, b"250"), (HEAD_LIMIT + 1, b"552")])
@pytest.mark.parametrize("step", [999, 1_000_000])
def test_a_header_block_comes_whole_or_is_refused(size, code, step):
    head = b"X: " + b"y" * 70 + b"\r\n" + b"X: y\r\n" * 40_000
    head += b"Y: " + b"z" * (size - len(head) - 7) + b"\r\n\r\n"
    stream = head + b"body\r\n" * 50_000 + b".\r\n"
    session = in_transaction().session
    letters = []
    for piece in cut(stream, range(0, len(stream), step)):
        letters += [event for event in session.receive(piece) if isinstance(event, Letter)]
    if code == b"250":
        assert letters[0].content == head
    else:
        assert session.take_output()[:3] == code
        assert letters == []


@pytest.mark.parametrize("over", [1, 1000, 1 << 20])
def test_s16_a_message_over_the_limit_is_drained_for_a_mebibyte(over):
    limits = ServerLimits(message=100_000)
    stream = b"x\r\n" * 33_333 + b"y" * (over - 1) + b"\r\n"
    played = in_transaction(limits=limits).feed(*cut(stream + b".\r\nNOOP\r\n", range(0, len(stream), 9000)))
    assert (played.codes[-2:], played.letters) == ([b"552", b"250"], [])
    played = in_transaction(limits=limits).feed(stream, b"x\r\n" * 400_000)
    assert (played.codes[-1:], played.session.closed) == ([b"552"], True)


def test_a_limit_is_a_limit_to_the_byte():
    for size, code in ((100_000, b"250"), (100_001, b"552"), (50_000, b"250")):
        stream = (b"x" * 98 + b"\r\n") * (size // 100 - 1) + b"y" * (98 + size % 100) + b"\r\n.\r\n"
        assert in_transaction(limits=ServerLimits(message=100_000)).feed(stream).codes[-1] == code


def test_s12_ten_thousand_recipients():
    played = driven().feed(ENVELOPE, *[b"RCPT TO:<r%d@example.org>\r\n" % number for number in range(10_000)])
    assert played.codes[4:].count(b"250") == 999
    assert played.codes[4:].count(b"452") == 9001
    assert len(played.feed(b"DATA\r\n", b".\r\n").letters[0][1]) == 1000


def test_a_list_with_bad_addresses_is_no_attack():
    played = driven().feed(ENVELOPE, *[b"RCPT TO:<bad%d>\r\n" % number for number in range(9)], b"DATA\r\n", b".\r\n")
    assert len(played.letters) == 1


def test_s10_what_comes_before_354_ends_the_session():
    played = driven().feed(ENVELOPE + b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
    assert played.codes == [b"220", b"250", b"250", b"250", b"503"]
    assert played.session.closed
    assert played.letters == []


def test_s04_what_comes_behind_starttls_ends_the_session():
    session = Session(PROFILE, trusted=True, tls_offered=True)
    assert session.receive(b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil@example.com>\r\n") == []
    assert session.closed
    assert b"220 2.0.0" not in session.take_output()


def test_what_comes_while_an_answer_is_awaited_waits():
    session = Session(PROFILE, trusted=True)
    session.receive(ENVELOPE)
    (letter,) = session.receive(b"BDAT 0 LAST\r\nNOOP\r\nMAIL FROM:<c@example.com>\r\n")
    assert isinstance(letter, Letter)
    session.take_output()
    session.receive(b"RCPT TO:<d@example.org>\r\n")
    assert session.take_output() == b""
    assert session.held == 58
    session.answer(b"451 4.3.0 Later\r\n")
    assert [line[:3] for line in session.take_output().splitlines()] == [b"451", b"250", b"250", b"250"]


def test_an_answer_after_the_end_changes_nothing():
    session = Session(PROFILE, trusted=True)
    session.receive(ENVELOPE + b"BDAT 0 LAST\r\n")
    session.hang_up(b"421 4.3.2 Bye\r\n")
    assert session.answer(b"250 2.0.0 Ok\r\n") == []
    assert session.take_output().endswith(b"421 4.3.2 Bye\r\n")
    assert session.receive(b"NOOP\r\n") == []
    assert session.take_output() == b""


# ── addresses, replies ──────────────────────────────────────────────────────────────────────────────────────────────


@given(st.from_regex(server_grammar.SIMPLE_PATH, fullmatch=True))
def test_s20_what_is_taken_quickly_is_an_address(path):
    text = path[1:-1].decode()
    if len(text) <= server_grammar.SIMPLE_LIMIT:
        assert address.parse(text).text == text


@settings(max_examples=300)
@given(st.text(alphabet='ab@.<>"\\ ,:%!-\0é[]', max_size=20))
def test_s20_what_is_taken_at_all_is_an_address(text):
    played = driven().feed(ENVELOPE.replace(b".com>", b".com> SMTPUTF8"), b"RCPT TO:<" + text.encode() + b">\r\n")
    if played.codes[-1] == b"250":
        (recipient,) = set(played.session._recipients) - {"b@example.org"}
        assert address.parse(recipient).text == recipient


def test_a_refusal_of_any_length_is_a_reply_of_lines():
    error = Refusal(550, "5.7.1", "ü\r\n250 Ok\0" + "x" * 1000)
    lines = server_replies.refusal(error).splitlines(keepends=True)
    assert lines[0].startswith(b"550-5.7.1 ???250 Ok?xxx")
    assert [line[:10] for line in lines[1:]] == [b"550-5.7.1 ", b"550 5.7.1 "]
    assert all(len(line) <= 512 and line.endswith(b"\r\n") for line in lines)
    assert server_replies.refusal(Refusal(550, "5.7.1", "")) == b"550 5.7.1 Refused\r\n"


def test_s18_a_client_writes_nothing_into_our_logs():
    session = driven().feed(b"EHLO \x1b[31mx\xff\xc3\xbc\0\x7f\r\n").session
    assert session.helo == "?[31mx?????"
    assert len(driven().feed(b"EHLO " + b"x" * 4000 + b"\r\n").session.helo) == 255


def test_random_pieces_of_a_long_session():
    chance = random.Random(1)
    letter = ENVELOPE[8:] + b"BDAT 8 LAST\r\nx\r\n\r\ny\r\n"
    stream = b"EHLO x\r\n" + letter * 300 + b"QUIT\r\n"
    for _ in range(5):
        played = driven().feed(*cut(stream, [chance.randrange(len(stream)) for _ in range(2000)]))
        assert len(played.letters) == 300
        assert played.codes[-1] == b"221"
