from email.utils import getaddresses
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.mailboxes import ADDRESS_LIMIT, addresses, first_mailbox, mailboxes


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"", []),
        (b"  ", []),
        (b"jane@example.com", [("", "jane@example.com")]),
        (b" jane@example.com\r", [("", "jane@example.com")]),
        (b"<jane@example.com>", [("", "jane@example.com")]),
        (b"Jane Doe <jane@example.com>", [("Jane Doe", "jane@example.com")]),
        (b'"Doe, Jane" <jane@example.com>', [("Doe, Jane", "jane@example.com")]),
        (b'"Jane \\"J\\" Doe" <jane@example.com>', [('Jane "J" Doe', "jane@example.com")]),
        (b"=?utf-8?q?J=C3=B6rg?= <j@example.com>", [("Jörg", "j@example.com")]),
        (b'"=?utf-8?q?J=C3=B6rg?=" <j@example.com>', [("Jörg", "j@example.com")]),
        (b"Jane\r\n <jane@example.com>", [("Jane", "jane@example.com")]),
        (b"a@example.com, B <b@example.com>", [("", "a@example.com"), ("B", "b@example.com")]),
        (b"a@example.com,,b@example.com,", [("", "a@example.com"), ("", "b@example.com")]),
        (b"root@example.com (Cron Daemon)", [("Cron Daemon", "root@example.com")]),
        (b"(a (nested \\) one)) j@example.com", [("a nested \\) one".replace("\\", ""), "j@example.com")]),
        (b'x@y.example (5" pipe), z@y.example', [('5" pipe', "x@y.example"), ("", "z@y.example")]),
        (b"Team: a@example.com, b@example.com;", [("", "a@example.com"), ("", "b@example.com")]),
        (b"Undisclosed recipients:;", []),
        (b"A: a@example.com; b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
        (b"<@relay.example,@two.example:jane@example.com>", [("", "jane@example.com")]),
        (b'"quoted part"@example.com', [("", '"quoted part"@example.com')]),
        (b"a@[IPv6:2001:db8::1]", [("", "a@[IPv6:2001:db8::1]")]),
        (b"Jane <jane@[192.0.2.1]>", [("Jane", "jane@[192.0.2.1]")]),
        (b"root", [("", "root")]),
        ("Jörg <jörg@exämple.com>".encode(), [("Jörg", "jörg@exämple.com")]),
        (b"\\", [("", "\\")]),
        (b'"', [("", '"')]),
        (b"a\\,b", [("", "a\\,b")]),
    ],
)
def test_mailboxes_are_read(value, found):
    assert mailboxes(value) == found
    assert addresses(value) == tuple(address for _, address in found)
    assert first_mailbox(value) == (found[0] if found else ("", ""))


@pytest.mark.parametrize("value", [b"John Smith a@example.com", b"<a@example.com, b@example.com", b"a@x b@y"])
def test_what_is_malformed_is_passed_on_and_not_guessed(value):
    assert all(" " in address or "," in address for address in addresses(value))


@pytest.mark.parametrize(
    "value",
    [
        b"(" * 20_000,
        b"(" * 500_000,
        b"<" * 500_000,
        b'"' * 500_000,
        b'"\\' * 250_000,
        b"a@b.example," * 40_000,
        b", " * 250_000,
        b":;" * 250_000,
        b"=?utf-8?b?YQ==?= " * 30_000 + b"<a@b.example>",
        b" " * 500_000,
        b"[" * 500_000,
        b"\\" * 500_000,
        b"a" * 500_000,
        b"(a)" * 160_000,
    ],
)
def test_a_poisoned_list_takes_a_moment(value):
    began = process_time()
    assert len(mailboxes(value)) <= ADDRESS_LIMIT
    assert len(addresses(value)) <= ADDRESS_LIMIT
    assert process_time() - began < 1


def test_at_most_a_thousand_addresses_are_read():
    assert len(addresses(b",".join(b"a%d@b.example" % number for number in range(2000)))) == ADDRESS_LIMIT


@given(st.binary(max_size=200))
def test_reading_never_raises_and_breaks_no_line(value):
    for name, address in mailboxes(value):
        assert address
        for text in (name, address):
            assert len(text) <= 998
            assert len(text.splitlines()) <= 1


@given(
    st.lists(
        st.sampled_from([b"a@b.example", b"<", b">", b"(", b")", b'"', b",", b":", b";", b"\\", b" ", b"[", b"]"]),
        max_size=30,
    )
)
def test_any_pile_of_specials_is_read(pieces):
    assert addresses(b"".join(pieces)) == tuple(address for _, address in mailboxes(b"".join(pieces)))


atoms = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
plain = st.builds("{}@{}.example".format, atoms, atoms)
names = st.text("abcDEF .,()<>@:;\"\\'", max_size=15)


@given(st.lists(st.tuples(names, plain), max_size=8))
def test_well_formed_lists_are_read_as_the_standard_library_reads_them(boxes):
    quoted = [(name.replace("\\", "\\\\").replace('"', '\\"'), address) for name, address in boxes]
    value = ", ".join(f'"{name}" <{address}>' for name, address in quoted)
    assert addresses(value.encode()) == tuple(address for _, address in getaddresses([value]) if address)
    assert [name for name, _ in mailboxes(value.encode())] == [name.strip() for name, _ in boxes]
