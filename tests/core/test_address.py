from email.headerregistry import Address as StandardAddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secondpost.core.address import (
    LOCAL_LIMIT,
    TOTAL_LIMIT,
    Address,
    AddressError,
    allowed,
    domain_of,
    is_pattern,
    once,
    parse,
)


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("jane.doe@example.com", "jane.doe", "example.com"),
        ("a@b", "a", "b"),
        ("root@localhost", "root", "localhost"),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com"),
        ("www-data@app_web_1", "www-data", "app_web_1"),
        ("a@1.2.3.4", "a", "1.2.3.4"),
        ('"jane doe"@example.com', '"jane doe"', "example.com"),
        ('"a\\"b\\\\c@d"@example.com', '"a\\"b\\\\c@d"', "example.com"),
        ('""@example.com', '""', "example.com"),
        ("a@[192.0.2.255]", "a", "[192.0.2.255]"),
        ("a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"),
        ("jörg@exämple.com", "jörg", "exämple.com"),
        ("用户@例子.公司", "用户", "例子.公司"),
        ("x" * 64 + "@example.com", "x" * 64, "example.com"),
        ("a@" + "b" * 63 + ".com", "a", "b" * 63 + ".com"),
        ("a@" + "b." * 124 + "four", "a", "b." * 124 + "four"),  # 254 bytes
        ("ü@" + "b." * 125 + "c", "ü", "b." * 125 + "c"),  # 254 bytes
    ],
)
def test_an_address_is_read(text, local, domain):
    assert parse(text) == Address(local, domain)
    assert parse(text).text == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("jane", "it has no @"),
        ("@example.com", "nothing stands before the @"),
        ("jane@", "nothing stands after the @"),
        ("jane doe@example.com", "needs double quotes"),
        ("jane,doe@example.com", "needs double quotes"),
        ("a(b)@example.com", "needs double quotes"),
        ('a"b@example.com', "needs double quotes"),
        ('"a"b"@example.com', "needs double quotes"),
        ('"a\\"@example.com', "needs double quotes"),
        ("a@b@example.com", "needs double quotes"),
        (".jane@example.com", "a dot at an end, or two in a row"),
        ("jane.@example.com", "a dot at an end, or two in a row"),
        ("ja..ne@example.com", "a dot at an end, or two in a row"),
        ("jane@example.com.", "its domain has a dot at an end"),
        ("jane@.example.com", "its domain has a dot at an end"),
        ("jane@example..com", "its domain has a dot at an end"),
        ("jane@-example.com", "'-example' cannot be in a domain"),
        ("jane@example-.com", "'example-' cannot be in a domain"),
        ("jane@exa mple.com", "'exa mple' cannot be in a domain"),
        ("jane@" + "b" * 64 + ".com", "cannot be in a domain"),
        ("jane@例。公司", "cannot be in a domain"),
        ("<jane@example.com>", "an angle bracket"),
        ("Jane <jane@example.com>", "Give only what stands between < and >"),
        ('"<jane>"@example.com', "an angle bracket"),
        ('"a<b"@example.com', "an angle bracket"),
        ('"a>b"@example.com', "an angle bracket"),
        ("jane@example.com\r\nRCPT TO:<evil@example.com>", "a line end"),
        ("jane@example.com\n", "a line end"),
        ("ja\0ne@example.com", "a NUL"),
        ("jane\x7f@example.com", "cannot be printed"),
        ("jane\u2028@example.com", "cannot be printed"),
        ("\ud800@example.com", "cannot be printed"),
        ("jane@[192.0.2]", "not [IPv4]"),
        ("jane@[192.0.2.1.1]", "not [IPv4]"),
        ("jane@[192.0.2.1.]", "not [IPv4]"),
        ("jane@[192.0.2.256]", "not [IPv4]"),
        ("jane@[192.0.2.1", "not [IPv4]"),
        ("jane@[IPv6:::1", "not [IPv4]"),
        ("jane@[::1]", "not [IPv4]"),
        ("jane@[IPv6:::1%eth0]", "not [IPv4]"),
        ("jane@[tag:x]", "not [IPv4]"),
        ("x" * 65 + "@example.com", f"longer than {LOCAL_LIMIT} bytes"),
        ("ü" * 33 + "@example.com", f"longer than {LOCAL_LIMIT} bytes"),
        ("a@" + "b." * 124 + "fiver", f"longer than {TOTAL_LIMIT} bytes"),
        ("ü@" + "b." * 125 + "cc", f"longer than {TOTAL_LIMIT} bytes"),
        ("a@" + "b." * 127 + "com", f"longer than {TOTAL_LIMIT} bytes"),
        ("ü" * 60 + "@" + ("ü" * 31 + ".") * 3 + "com", f"longer than {TOTAL_LIMIT} bytes"),
        ("x" * 1_000_000, f"longer than {TOTAL_LIMIT} bytes"),
        ("\ud800" * 300, f"longer than {TOTAL_LIMIT} bytes"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text, reason):
    with pytest.raises(AddressError, match="is not an address: ") as caught:
        parse(text)
    assert reason in caught.value.reason
    assert caught.value.text == text
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@given(st.text(max_size=100))
def test_whatever_is_taken_can_stand_between_angle_brackets_on_the_wire(text):
    try:
        address = parse(text)
    except AddressError:
        return
    assert address.text == text
    assert not set(text) & set("\r\n\0<>")
    assert len(text.encode()) <= TOTAL_LIMIT
    assert len(address.local.encode()) <= LOCAL_LIMIT
    assert " " not in text or address.local.startswith('"')


atoms = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=10)
locals_ = st.lists(atoms, min_size=1, max_size=4).map(".".join)
labels = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)


@given(locals_, domains)
def test_every_dot_atom_is_taken_as_the_standard_library_takes_it(local, domain):
    address = parse(f"{local}@{domain}")
    assert (address.local, address.domain) == (local, domain)
    standard = StandardAddress(addr_spec=address.text)
    assert (standard.username, standard.domain) == (local, domain)


@given(locals_, domains, st.sampled_from(list(' ()<>[]:;@\\,"\r\n\t\0')), st.integers(0, 60))
def test_a_special_character_anywhere_in_a_dot_atom_is_refused(local, domain, special, place):
    text = f"{local}@{domain}"
    place = min(place, len(text))
    with pytest.raises(AddressError):
        parse(text[:place] + special + text[place:])


@pytest.mark.parametrize(
    ("text", "domain"), [("a@Example.COM", "example.com"), ('"a@b"@c', "c"), ("root", ""), ("", "")]
)
def test_the_domain_of_a_header_address_is_read_leniently(text, domain):
    assert domain_of(text) == domain


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        (
            "shop@example.com",
            ["shop@example.com", "Shop@Example.com"],
            ["x@example.com", "shop@example.com.evil.example"],
        ),
        ("example.com", ["a@example.com", "a@EXAMPLE.com"], ["a@mail.example.com", "a@badexample.com", "example.com"]),
        ("@Example.com", ["a@example.com"], ["a@b@example.org"]),
        ("*@example.com", ["a@example.com"], ["a@example.org"]),
        ("*.example.com", ["a@mail.example.com"], ["a@example.com", "a@badexample.com"]),
        ("*", ["a@b"], []),
        (" example.com ", ["a@example.com"], []),
    ],
)
def test_a_sender_must_fit_a_pattern(pattern, fits, fits_not):
    assert all(allowed(text, [pattern]) for text in fits)
    assert all(allowed(text, ["nobody@example.org", pattern]) for text in fits)
    assert not any(allowed(text, [pattern]) for text in fits_not)


@given(locals_, domains)
def test_nothing_fits_no_pattern(local, domain):
    assume(domain)
    assert not allowed(f"{local}@{domain}", [])


def test_a_mailbox_is_once_what_the_case_of_its_domain_is():
    written = ["a@example.com", "b@example.com", "a@Example.com", "A@example.com", "a@example.com"]
    assert once(written) == ("a@example.com", "b@example.com", "A@example.com")


@pytest.mark.parametrize("text", ["*", "example.com", "@example.com", "*@example.com", "*.example.com", "a@b.com"])
def test_a_pattern_is_an_address_or_a_domain(text):
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["", "@", "a b@example.com", "a@", "*.", "exa mple.com", "**"])
def test_a_pattern_that_no_address_fits_is_none(text):
    assert not is_pattern(text)
