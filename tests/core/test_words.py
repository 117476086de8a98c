from base64 import b64encode
from email.header import decode_header, make_header
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core import words
from secondpost.core.words import TEXT_LIMIT, as_text, clean, decode, decode_words, encode_phrase

printable = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=200)


def test_plain_text_is_itself():
    assert decode(b" Hello, world ") == "Hello, world"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", "Grüße aus Köln"),
        (b"=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        (b"=?UTF-8?B?R3LDvMOfZQ?=", "Grüße"),  # padding forgotten
        (b"=?iso-8859-1?Q?J=F6rg?= Meier", "Jörg Meier"),
        (b"=?iso-8859-1*de?Q?J=F6rg?=", "Jörg"),  # RFC 2231 language
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),  # white space between encoded words is not shown
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"=?utf-8?q?a?=\r\n =?iso-8859-1?q?b?=", "ab"),
        (b"=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),  # one character split between two words
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?windows-1251?q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
        (b"folded\r\n\tvalue", "folded value"),
        (b"folded\r\n value", "folded value"),
        ("schön".encode(), "schön"),
        ("schön".encode("latin-1"), "schön"),
    ],
)
def test_a_value_is_decoded_for_people(value, text):
    assert decode(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?b?A?=", "=?utf-8?b?A?="),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?no end", "=?utf-8?q?no end"),
        ("=?utf-8?b?ü?=".encode(), "=?utf-8?b?ü?="),
        (b"=?utf-8?b?A?= =?utf-8?q?b?=", "=?utf-8?b?A?= b"),
        (b"=??=", "=??="),
    ],
)
def test_a_malformed_word_stays_as_it_is(value, text):
    assert decode(value) == text


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "zip", "undefined", "iso-8859-12", "", "x"])
def test_an_unknown_or_dangerous_charset_is_read_as_utf_8(charset):
    assert decode_words(f"=?{charset}?q?K=C3=B6ln?=") == "Köln"
    assert as_text(b"K\xf6ln", charset) == "Köln"


@pytest.mark.parametrize(
    "value", [b"=?utf-8?q?a=0D=0ABcc:_evil@example.com?=", b"a\x00b\x07", "a\u2028b\x85c".encode()]
)
def test_nothing_decoded_can_break_a_line(value):
    text = decode(value)
    assert len(text.splitlines()) == 1
    assert not set(text) & {chr(code) for code in range(32)}


@given(st.binary(max_size=300))
def test_decoding_never_raises_and_is_bounded(value):
    text = decode(value)
    assert len(text) <= TEXT_LIMIT
    assert len(text.splitlines()) <= 1
    text.encode()


@given(
    st.lists(
        st.sampled_from([b"=?utf-8?", b"b?", b"q?", b"?=", b"=?", b"YQ==", b"=C3", b" ", b"\r\n ", b"\xff"]),
        max_size=60,
    )
)
def test_decoding_any_pile_of_fragments_never_raises(pieces):
    assert len(decode(b"".join(pieces))) <= TEXT_LIMIT


@pytest.mark.parametrize(
    "value",
    [
        b"=?utf-8?b?" + b64encode(b"x" * 30) + b"?= ",
        b"=?utf-8?q?=C3=A4?= ",
        b"=?utf-8?b?A?= ",
        b"=?",
        b"=?a?q?",
        b"=?a?q",
        b" ",
        b" \r\n",
        b"\xff",
    ],
)
def test_480_kb_of_encoded_words_take_a_moment(value):
    began = process_time()
    assert len(decode(value * (480_000 // len(value)))) <= TEXT_LIMIT
    assert process_time() - began < 1


def test_998_characters_survive_however_they_are_encoded():
    one_each = b" ".join([b"=?utf-8?b?4pyT?="] * 1500)
    assert decode(one_each) == "✓" * TEXT_LIMIT


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("Jane Doe", "Jane Doe"),
        ("Doe, Jane", '"Doe, Jane"'),
        ('Jane "JD" Doe', '"Jane \\"JD\\" Doe"'),
        ("back\\slash", '"back\\\\slash"'),
        ("", '""'),
        ("Jane\r\nBcc: evil@example.com", '"Jane Bcc: evil@example.com"'),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?="),
        ("Jörg", "=?utf-8?b?SsO2cmc=?="),
    ],
)
def test_a_display_name_is_written_so_that_it_reads_back(name, phrase):
    assert encode_phrase(name) == phrase


@given(st.text(max_size=300))
def test_a_display_name_is_ascii_in_short_lines_that_cannot_be_a_field(name):
    phrase = encode_phrase(name)
    assert phrase.isascii()
    first, *rest = phrase.split("\r\n")
    assert all(line.startswith(" ") for line in rest)
    assert all(len(line) <= 142 and line.isprintable() for line in (first, *rest))


@given(printable.map(clean).filter(bool))
def test_an_encoded_name_decodes_to_itself(name):
    phrase = encode_phrase(name)
    if phrase.startswith("=?"):
        assert decode(phrase.encode()) == name
        assert str(make_header(decode_header(phrase.replace("\r\n", "")))) == name  # the standard library agrees


def test_unicode_takes_latin_1_when_it_is_not_utf_8():
    assert words.unicode(b"\xe9") == "é"
