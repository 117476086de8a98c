from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.fields import (
    COUNT_LIMIT,
    FIELD_LIMIT,
    HEAD_LIMIT,
    HOP_LIMIT,
    append,
    check_head,
    complete,
    crlf,
    names,
    received,
    split,
)
from secondpost.errors import Refusal

HEAD = b"From: a@example.com\r\nTo: b@example.com\r\nDate: today\r\nMessage-ID: <1@example.com>\r\n\r\n"

field = st.sampled_from(
    [b"From: a@b.example\r\n", b"Subject: hi\r\n there\r\n", b"X-1:\r\n", b"To : x\r\n", b"Received: a;\r\n\tb\r\n"]
)
heads = st.lists(field, max_size=6).map(lambda fields: b"".join(fields) + b"\r\n")
junk = st.lists(
    st.sampled_from(
        [b"From: a", b"x", b":", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\xff", b"Bcc: z"]
    ),
    max_size=20,
).map(b"".join)


# Where the header block ends


@given(heads, st.binary(max_size=50))
def test_a_well_formed_message_is_split_at_its_empty_line(head, body):
    assert split(head + body) == (head, body)


@pytest.mark.parametrize(
    ("content", "head", "body"),
    [
        (b"", b"\r\n", b""),
        (b"\r\n", b"\r\n", b""),
        (b"\r\nSubject: this is text", b"\r\n", b"Subject: this is text"),
        (b"Subject: x", b"Subject: x\r\n\r\n", b""),
        (b"Subject: x\r\n", b"Subject: x\r\n\r\n", b""),
        (b"Subject: x\r\n\r\n", b"Subject: x\r\n\r\n", b""),
        (b"Hello world", b"\r\n", b"Hello world"),
        (b"Hello\r\n\r\nworld", b"\r\n", b"Hello\r\n\r\nworld"),
        (b" folded: nothing\r\n\r\nx", b"\r\n", b" folded: nothing\r\n\r\nx"),
        (b"Subject: x\r\nno field\r\nFrom: y\r\n\r\nz", b"Subject: x\r\n\r\n", b"no field\r\nFrom: y\r\n\r\nz"),
        (b"Subject: x\n\nbody", b"Subject: x\n\r\n", b"\nbody"),
        (b": no name\r\n\r\n", b"\r\n", b": no name\r\n\r\n"),
    ],
)
def test_a_broken_message_is_split_where_its_fields_end(content, head, body):
    assert split(content) == (head, body)


@given(st.one_of(st.binary(max_size=200), junk))
def test_splitting_loses_nothing_and_adds_only_line_ends(content):
    head, body = split(content)
    assert head.endswith(b"\r\n")
    assert head == b"\r\n" or head.endswith(b"\n\r\n")
    assert content.endswith(body)
    kept = content[: len(content) - len(body)]
    assert head.startswith(kept)
    assert head[len(kept) :] in {b"", b"\r\n", b"\r\n\r\n"}


@given(st.one_of(st.binary(max_size=200), junk))
def test_splitting_again_changes_nothing(content):
    head, body = split(content)
    assert split(head + body) == (head, body)


@given(st.one_of(st.binary(max_size=200), junk))
def test_every_line_of_a_header_block_is_a_field_or_a_continuation(content):
    head, _ = split(content)
    for number, line in enumerate(head[:-2].split(b"\n")[:-1]):
        assert (number and line[:1] in {b" ", b"\t"}) or line.partition(b":")[1]


def test_an_endless_header_block_is_cut_where_it_will_be_refused():
    began = process_time()
    head, _ = split(b"X: y\r\n" * 5_000_000)
    assert HEAD_LIMIT < len(head) < HEAD_LIMIT + 20
    assert process_time() - began < 1


# Line ends


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n"]), max_size=20).map(b"".join))
def test_every_line_end_becomes_crlf(content):
    canonical = crlf(content)
    assert canonical.count(b"\r\n") == canonical.count(b"\r") == canonical.count(b"\n")
    assert canonical.replace(b"\r\n", b"") == content.replace(b"\r", b"").replace(b"\n", b"")
    assert crlf(canonical) is canonical


# What is refused


@given(heads.filter(lambda head: head.count(b"From:") < 2))
def test_an_ordinary_header_block_is_taken(head):
    check_head(head)


@pytest.mark.parametrize(
    ("head", "code", "status", "field"),
    [
        (b"X: " + b"y" * HEAD_LIMIT + b"\r\n\r\n", 552, "5.3.4", "headers"),
        (b"X: y\0\r\n\r\n", 554, "5.6.0", "headers"),
        (b"X: y\rBcc: z\r\n\r\n", 550, "5.6.11", "headers"),
        (b"X: y\nBcc: z\r\n\r\n", 550, "5.6.11", "headers"),
        (b"X: y\r\n" * (COUNT_LIMIT + 1) + b"\r\n", 554, "5.6.0", "headers"),
        (b"X-Long: " + b"y\r\n " * (FIELD_LIMIT // 4) + b"\r\n\r\n", 554, "5.6.0", "x-long"),
        (b"From: a\r\nfrom : b\r\n\r\n", 554, "5.6.0", "from"),
        (b"Received: x\r\n" * (HOP_LIMIT + 1) + b"\r\n", 554, "5.4.6", "received"),
    ],
)
def test_a_dangerous_header_block_is_refused(head, code, status, field):
    with pytest.raises(Refusal) as caught:
        check_head(head)
    refusal = caught.value
    assert (refusal.code, refusal.status, refusal.field) == (code, status, field)
    assert len(refusal.text) < 200


@pytest.mark.parametrize(
    "head",
    [
        b"X: y\r\n" * COUNT_LIMIT + b"\r\n",
        b"X: " + b"y\r\n " * (FIELD_LIMIT // 4 - 10) + b"\r\n" + b"Y: z\r\n" * 10 + b"\r\n",
        b"X: y\r\n z\r\n" * COUNT_LIMIT + b"\r\n",
        b"Received: x\r\n" * HOP_LIMIT + b"\r\n",
        b"X-From: a\r\nFrom: b\r\nFrom-X: c\r\n\r\n",
        b"Subject: x\r\n From: not a field\r\nFrom: a\r\n\r\n",
        b"\r\n",
    ],
)
def test_a_header_block_at_the_limit_is_taken(head):
    check_head(head)


# What is added and dropped


def test_a_complete_header_block_is_not_touched():
    assert complete(HEAD, message_id="<x>", date="y") is HEAD


@pytest.mark.parametrize(
    ("head", "added"),
    [
        (b"\r\n", b"Message-ID: <x>\r\nDate: y\r\n\r\n"),
        (b"Subject: a\r\n\r\n", b"Subject: a\r\nMessage-ID: <x>\r\nDate: y\r\n\r\n"),
        (b"date: a\r\n\r\n", b"date: a\r\nMessage-ID: <x>\r\n\r\n"),
        (b"MESSAGE-ID : a\r\n\r\n", b"MESSAGE-ID : a\r\nDate: y\r\n\r\n"),
        (b"Message-ID:\r\n <a>\r\nDate:\r\n\tb\r\n\r\n", b"Message-ID:\r\n <a>\r\nDate:\r\n\tb\r\n\r\n"),
        (b"Message-ID: \r\nDate:\r\n  \r\nTo: c\r\n\r\n", b"To: c\r\nMessage-ID: <x>\r\nDate: y\r\n\r\n"),
        (b"X-Date: a\r\nDates: b\r\n\r\n", b"X-Date: a\r\nDates: b\r\nMessage-ID: <x>\r\nDate: y\r\n\r\n"),
        (b"Date: a\r\nDate: b\r\n\r\n", b"Date: a\r\nDate: b\r\nMessage-ID: <x>\r\n\r\n"),
    ],
)
def test_a_missing_message_id_or_date_is_added(head, added):
    assert complete(head, message_id="<x>", date="y") == added


@pytest.mark.parametrize(
    "dropped",
    [
        b"Bcc: hidden@example.com\r\n",
        b"BCC:a@example.com,\r\n b@example.com,\r\n\tc@example.com\r\n",
        b"bcc : a@example.com\r\n",
        b"Bcc:\r\n",
        b"Resent-Bcc: a@example.com\r\n",
        b"Return-Path: <a@example.com>\r\n",
        b"Secondpost-Priority: urgent\r\n",
        b"SECONDPOST-Anything-At-All: x\r\n y\r\n",
        b"Bcc: a\rb\r\n",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_what_must_not_leave_is_dropped_with_its_continuation_lines(dropped, place):
    lines = HEAD.splitlines(keepends=True)
    head = b"".join([*lines[:place], dropped, dropped, *lines[place:]])
    assert complete(head, message_id="<x>", date="y") == HEAD


@given(heads)
def test_completing_changes_nothing_else_and_is_done_once(head):
    done = complete(head, message_id="<x>", date="y")
    assert done == head[:-2] + b"Message-ID: <x>\r\nDate: y\r\n\r\n"
    assert complete(done, message_id="<other>", date="other") is done
    assert names(done) == [*names(head), "Message-ID", "Date"]


def test_dropping_from_a_large_header_block_takes_a_moment():
    head = b"Bcc: a@example.com,\r\n b@example.com\r\nX: y\r\n" * 100_000 + b"\r\n"
    began = process_time()
    assert b"Bcc" not in complete(head, message_id="<x>", date="y")
    assert process_time() - began < 1


def test_lines_are_added_before_the_empty_line():
    assert append(b"A: b\r\n\r\n", b"C: d\r\n") == b"A: b\r\nC: d\r\n\r\n"


# The Received field

PARTS = {
    "helo": "app.example.com",
    "peer": "192.0.2.1",
    "by": "mail.example.com",
    "protocol": "ESMTPSA",
    "id": "0abc",
    "when": "Mon, 3 Aug 2026 10:00:00 +0000",
}


def test_received_is_written_as_rfc_5321_wants_it():
    assert received(**PARTS) == (
        b"Received: from app.example.com ([192.0.2.1])\r\n by mail.example.com with ESMTPSA id 0abc;\r\n"
        b" Mon, 3 Aug 2026 10:00:00 +0000\r\n"
    )


def test_received_names_the_recipient_when_told_to():
    assert b" id 0abc for <b@example.com>;\r\n" in received(**PARTS, recipient="b@example.com")


@given(st.sampled_from(sorted(PARTS)), st.text(max_size=80))
def test_no_part_of_received_can_add_a_field_or_a_comment(part, text):
    field = received(**PARTS | {part: text})
    assert split(field + b"\r\n") == (field + b"\r\n", b"")
    assert names(b"" + field + b"\r\n") == ["Received"]
    assert field.count(b"\r\n") == field.count(b"\r") == field.count(b"\n") == 3
    assert field.count(b"(") == field.count(b")") == 1 or part == "when"


@pytest.mark.parametrize(
    ("peer", "literal"),
    [
        ("2001:db8::1", b"[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", b"[IPv6:fe80::1]"),
        ("[192.0.2.1]", b"[192.0.2.1]"),
        ("", b"unknown"),
    ],
)
def test_the_address_of_a_client_is_written_as_a_literal(peer, literal):
    assert b" (" + literal + b")\r\n" in received(**PARTS | {"peer": peer})


def test_a_client_that_gave_no_name_is_unknown():
    assert b"from unknown (" in received(**PARTS | {"helo": ""})
