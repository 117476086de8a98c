"""S2: whatever bytes a message has, receivers see exactly one message, or nothing is sent."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secondpost.core.message import Message
from secondpost.wire.client_content import Blocks, Unsendable, path, whole
from secondpost.wire.client_envelope import GO, OVER, Transaction
from secondpost.wire.client_sign_in import Account
from secondpost.wire.smtp_client import Client

# Bytes in which an end of data may hide, and others.
TRICKY = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"\r\n.\r\n", b"x", b"MAIL", b"\0", b"\xff"]), max_size=12
)
CONTENT = st.one_of(st.binary(max_size=200), TRICKY.map(b"".join))
CLEAN = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"x", b"\xff", b"\0"]), max_size=20).map(b"".join)
# Every ending that some receiver in history took for the end of a message (CVE-2023-51764 to -51766, CVE-2024-27305).
LAX_END = re.compile(rb"(?:\r\n|\r|\n)\.(?:\r\n|\r|\n)|\r\n\.\x00|\x00\r\n\.\r\n")


def strict_receiver(wire):
    """Messages in the bytes after DATA, by RFC 5321 to the letter."""
    *messages, rest = (b"\r\n" + wire).split(b"\r\n.\r\n")
    return [message.replace(b"\r\n..", b"\r\n.").removeprefix(b"\r\n") for message in messages], rest


def lax_receiver(wire):
    """How many ends of messages the most careless receiver would see."""
    wire, count = b"\r\n" + wire, 0
    while found := LAX_END.search(wire):
        wire, count = wire[found.end() :], count + 1
    return count


def on_the_wire(head, body, cuts=None):
    """What leaves for this message, or None when it was refused. `cuts`: streamed in such blocks."""
    try:
        if cuts is None:
            return whole(head, body, stuffed=True)
        blocks, content = Blocks(seven_bit=False), head + body
        edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
        pieces = [blocks.feed(content[start:end]) for start, end in pairwise(edges)]
        return b"".join(pieces) + blocks.end()
    except Unsendable:
        return None


@given(CONTENT, CONTENT, st.none() | st.lists(st.integers(0, 400), max_size=20))
@example(b"", b"", None)
@example(b"", b".", None)
@example(b"x\r", b"\n.\r\nMAIL FROM:<>\r\n", [2])
@example(b"", b"a\r\n.\r\nb", [3, 4, 5])
@example(b"", b"a\r\n\r.\r\nb", None)
@example(b"", b"a\n.\nb", None)
@example(b"", b"a\r\n.\rb", None)
def test_s2_one_message_leaves_or_none(head, body, cuts):
    wire = on_the_wire(head, body, cuts)
    if wire is None:
        assert re.search(rb"\r(?!\n)|(?<!\r)\n", head + body), "refused without a reason"
        return
    messages, rest = strict_receiver(wire)
    assert rest == b""
    assert messages == [(head + body).removesuffix(b"\r\n")]
    assert lax_receiver(wire) == 1


@given(CLEAN, st.lists(st.integers(0, 60), max_size=20))
def test_a_message_leaves_alike_in_one_piece_or_in_blocks(content, cuts):
    assert on_the_wire(b"", content) == on_the_wire(b"", content, cuts)


@given(CONTENT)
def test_s2_a_chunk_is_as_long_as_it_says(body):
    client = Client(Account(helo="client.example", chunking=True))
    client.receive(b"220 hi\r\n250-hi\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n")
    transaction = Transaction(Message(b"A: b\r\n\r\n", body), "a@b", ["c@d"])
    client.start(transaction)
    if transaction.stage == OVER:
        return
    client.receive(b"250 ok\r\n250 ok\r\n")
    assert transaction.stage == GO
    command, _, chunk = client.last_bytes(transaction).partition(b"\r\n")
    assert command == b"BDAT %d LAST" % len(chunk)
    assert chunk.removesuffix(b"\r\n") == (b"A: b\r\n\r\n" + body).removesuffix(b"\r\n")


@given(st.text(max_size=40))
@example("a@b>\r\nDATA")
@example('"a\r\nb"@c')
def test_no_address_breaks_out_of_its_brackets(address):
    found = path(address)
    assert found is None or not re.search(r"[\r\n\0<>]", found)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@b.example", "a@b.example"),
        ("a+b=c/d'e@b.example", "a+b=c/d'e@b.example"),
        ('"a b"@c.example', '"a b"@c.example'),
        ('"a\\"b"@c.example', '"a\\"b"@c.example'),
        ("postmaster", "postmaster"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("ö@bücher.example", "ö@bücher.example"),
        ("a@straße.example", "a@straße.example"),
        ("", None),
        ("a b@c", None),
        ("a@b c", None),
        ("a@b@c", None),
        ("<a@b>", None),
        ("a@", None),
        ("@b", None),
    ],
)
def test_paths(address, expected):
    assert path(address) == expected
