from email import message_from_bytes
from email.policy import default as policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.connection import FromRules
from secondpost.core.fields import names, split
from secondpost.core.from_rules import apply
from secondpost.core.mailboxes import first_mailbox

HEAD = b"To: b@example.com\r\nFrom: Jane <jane@example.com>\r\nSubject: x\r\n\r\n"
KEEP = FromRules(force_email=False, return_path=False)


def parsed(head):
    return message_from_bytes(head, policy=policy)


def test_rules_that_say_nothing_change_nothing():
    assert apply(HEAD, "env@example.com", KEEP) == (HEAD, "env@example.com", False)
    assert apply(HEAD, "env@example.com", KEEP)[0] is HEAD


def test_a_forced_address_replaces_the_callers_which_becomes_reply_to():
    head, reverse_path, changed = apply(HEAD, "jane@example.com", FromRules(email="shop@example.org"))
    assert head == (
        b"To: b@example.com\r\nFrom: Jane\r\n <shop@example.org>\r\n"
        b"Reply-To: Jane <jane@example.com>\r\nSubject: x\r\n\r\n"
    )
    assert reverse_path == "shop@example.org"
    assert changed


def test_a_reply_to_that_is_set_stays():
    head, _, _ = apply(b"Reply-to: r@example.com\r\n" + HEAD, "", FromRules(email="shop@example.org"))
    assert names(head).count("Reply-To") == 0
    assert parsed(head)["reply-to"] == "r@example.com"


@pytest.mark.parametrize("address", ["jane@example.com", "JANE@Example.Com"])
def test_forcing_the_address_that_is_there_already_changes_nothing(address):
    head, reverse_path, changed = apply(HEAD, "env@example.com", FromRules(email=address))
    assert head is HEAD
    assert reverse_path == address
    assert not changed


def test_an_address_that_is_not_forced_is_only_for_messages_without_one():
    rules = FromRules(email="shop@example.org", force_email=False)
    assert apply(HEAD, "e@example.com", rules) == (HEAD, "jane@example.com", False)
    head, _, changed = apply(b"Subject: x\r\n\r\n", "", rules)
    assert head == b"From: shop@example.org\r\nSubject: x\r\n\r\n"
    assert changed


def test_a_message_without_from_gets_the_envelope_sender():
    head, reverse_path, changed = apply(b"Subject: x\r\n\r\n", "env@example.com", FromRules())
    assert head == b"From: env@example.com\r\nSubject: x\r\n\r\n"
    assert reverse_path == "env@example.com"
    assert changed


def test_without_any_address_nothing_is_made_up():
    assert apply(b"Subject: x\r\n\r\n", "", FromRules()) == (b"Subject: x\r\n\r\n", "", False)


def test_a_forced_name_replaces_the_callers_and_sets_no_reply_to():
    head, _, changed = apply(HEAD, "x@example.com", FromRules(name="Shop", force_name=True))
    assert b"From: Shop\r\n <jane@example.com>\r\n" in head
    assert b"Reply-To" not in head
    assert changed


def test_a_name_that_is_not_forced_is_only_for_messages_without_one():
    rules = FromRules(name="Shop")
    assert apply(HEAD, "x@example.com", rules)[0] is HEAD
    head, _, _ = apply(b"From: jane@example.com\r\n\r\n", "x@example.com", rules)
    assert head == b"From: Shop\r\n <jane@example.com>\r\n\r\n"


def test_forcing_an_empty_name_or_address_keeps_the_callers():
    assert apply(HEAD, "x@example.com", FromRules(force_name=True))[0] is HEAD


@pytest.mark.parametrize("value", [b"John Smith jane@example.com", b"jane", b"a..b@example.com"])
def test_a_malformed_from_is_left_alone_and_never_becomes_the_reverse_path(value):
    head = b"From: " + value + b"\r\n\r\n"
    assert apply(head, "env@example.com", FromRules(name="Shop", force_name=True)) == (head, "env@example.com", False)


def test_a_malformed_from_is_replaced_by_a_forced_address():
    head, reverse_path, _ = apply(b"From: John x@y z\r\n\r\n", "env@example.com", FromRules(email="shop@example.org"))
    assert head == b"From: shop@example.org\r\n\r\n"
    assert reverse_path == "shop@example.org"


@given(st.booleans(), st.sampled_from(["", "shop@example.org"]))
def test_a_null_reverse_path_stays_null(force, email):
    assert apply(HEAD, "", FromRules(email=email, force_email=force))[1] == ""


def test_return_path_off_keeps_the_envelope_sender():
    rules = FromRules(email="shop@example.org", return_path=False)
    assert apply(HEAD, "bounces@example.com", rules)[1] == "bounces@example.com"


def test_a_folded_from_of_several_mailboxes_is_replaced_whole():
    head = b"FROM : a@example.com,\r\n  B <b@example.com>\r\nTo: c@example.com\r\n\r\n"
    changed, _, _ = apply(head, "x@example.com", FromRules(email="shop@example.org"))
    assert changed == (
        b"From: shop@example.org\r\nReply-To: a@example.com,\r\n  B <b@example.com>\r\nTo: c@example.com\r\n\r\n"
    )


def test_a_from_with_no_address_in_it_is_replaced_and_makes_no_reply_to():
    head, _, _ = apply(b"From:\r\nTo: c@example.com\r\n\r\n", "x@example.com", FromRules(email="shop@example.org"))
    assert head == b"From: shop@example.org\r\nTo: c@example.com\r\n\r\n"


def test_a_name_in_another_alphabet_is_encoded_and_a_utf_8_address_is_not():
    head, _, _ = apply(HEAD, "x@example.com", FromRules(email="büro@example.org", name="Müller, Büro", force_name=True))
    assert "\r\n <büro@example.org>\r\n".encode() in head
    assert parsed(head)["from"].addresses[0].display_name == "Müller, Büro"


@given(st.text(max_size=100), st.text(max_size=40), st.booleans())
def test_no_name_or_address_can_add_a_field(name, email, force_name):
    rules = FromRules(email=email, name=name, force_name=force_name)
    head, _, _ = apply(HEAD, "x@example.com", rules)
    assert split(head) == (head, b"")
    assert sorted(set(names(head)) - {"Reply-To"}) == ["From", "Subject", "To"]
    assert len(names(head)) <= 4


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=60))
def test_a_forced_name_reads_back(name):
    rules = FromRules(email="shop@example.org", name=name, force_name=True)
    head, _, _ = apply(HEAD, "x@example.com", rules)
    field, _, _ = head.partition(b"\r\nReply-To:")
    assert first_mailbox(field.partition(b"From:")[2]) == (name.strip() or "Jane", "shop@example.org")
    assert parsed(head)["from"].addresses[0].addr_spec == "shop@example.org"


@given(
    st.lists(
        st.sampled_from([b"From: ", b"a@b.example", b"<", b">", b"\r\n ", b'"', b"(", b"=?utf-8?q?x?=", b"\xff"]),
        max_size=12,
    )
)
def test_any_from_field_is_survived(pieces):
    head, _ = split(b"From: " + b"".join(pieces) + b"\r\nTo: x\r\n\r\n")
    again, _, _ = apply(head, "x@example.com", FromRules(email="shop@example.org"))
    assert split(again) == (again, b"")
    assert names(again).count("From") == names(head).count("From")
