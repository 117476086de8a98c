import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.conditions import Condition, Operator, choose, hint, holds, parse_condition
from secondpost.core.facts import NUMBERS, Property, facts
from secondpost.core.message import Message, Summary
from secondpost.errors import ConfigError


def matcher(pattern, text):
    return re.search(pattern, text, re.IGNORECASE) is not None


def message(size=0, recipients=(), **summary):
    return facts(Summary(**summary), Message(b"\r\n", b"x" * size), sender="", recipients=recipients, client="")


def met(asked, operator, value, found):
    condition = parse_condition({"property": asked, "operator": operator, "value": value}, "here")
    return holds(condition, found, matcher)


@pytest.mark.parametrize(
    ("operator", "value", "passes"),
    [
        ("contains", "INVOICE", True),
        ("contains", "  invoice  ", True),
        ("contains", "receipt", False),
        ("contains", "", True),
        ("does_not_contain", "invoice", False),
        ("does_not_contain", "receipt", True),
        ("is", "your INVOICE 12", True),
        ("is", "invoice", False),
        ("is_not", "your invoice 12", False),
        ("is_not", "invoice", True),
        ("starts_with", "YOUR", True),
        ("starts_with", "invoice", False),
        ("ends_with", "12", True),
        ("ends_with", "invoice", False),
        ("matches_regex", r"^your \S+ \d+$", True),
        ("matches_regex", r"^\d", False),
    ],
)
def test_operators_on_text(operator, value, passes):
    assert met("subject", operator, value, message(subject="  Your Invoice 12 ")) is passes


@pytest.mark.parametrize(
    ("operator", "value", "passes"),
    [
        ("is", "b@two.example", True),
        ("contains", "one.example", True),
        ("ends_with", "@two.example", True),
        ("is_not", "b@two.example", False),
        ("is_not", "c@two.example", True),
        ("does_not_contain", "one.example", False),
        ("does_not_contain", "three.example", True),
    ],
)
def test_a_positive_operator_needs_any_value_and_a_negative_one_none(operator, value, passes):
    assert met("to", operator, value, message(to=("a@one.example", "b@two.example"))) is passes


@pytest.mark.parametrize(
    ("operator", "value", "passes"),
    [
        ("is", "", True),
        ("is_not", "", False),
        ("is_not", "x", True),
        ("contains", "x", False),
        ("does_not_contain", "x", True),
    ],
)
def test_a_missing_property_counts_as_empty(operator, value, passes):
    assert met("cc", operator, value, message()) is passes


@pytest.mark.parametrize(
    ("operator", "value", "passes"),
    [
        ("greater_than", "1", True),
        ("greater_than", "2", False),
        ("less_than", "3", True),
        ("less_than", "2", False),
        ("is", "2", True),
        ("is", "2.0", True),
        ("is", 2, True),
        ("is_not", "2", False),
        ("is_not", "3", True),
    ],
)
def test_operators_on_numbers(operator, value, passes):
    assert met("recipient_count", operator, value, message(recipients=("a@x", "b@x"))) is passes


def test_the_size_is_asked_in_kilobytes():
    assert met("message_size", "greater_than", "100", message(size=101 * 1024))
    assert not met("message_size", "greater_than", "100", message(size=99 * 1024))


@pytest.mark.parametrize(
    ("value", "passes"), [("no", True), (False, True), ("YES", False), (True, False), ("1", False)]
)
def test_whether_there_are_attachments_is_yes_or_no(value, passes):
    assert met("has_attachments", "is", value, message()) is passes


def test_without_a_matcher_no_regular_expression_is_met():
    condition = Condition(property=Property.SUBJECT, operator=Operator.MATCHES_REGEX, value=".")
    assert not holds(condition, message(subject="x"), None)


texts = st.text(max_size=20)
lists = st.lists(texts, max_size=4).map(tuple)


@given(lists, texts, st.sampled_from([("is", "is_not"), ("contains", "does_not_contain")]))
def test_a_negative_operator_is_the_opposite_of_its_positive_one(found, value, operators):
    positive, negative = (met("to", operator, value, message(to=found)) for operator in operators)
    assert positive is not negative


@given(texts, texts, st.sampled_from(["is", "contains", "starts_with", "ends_with"]))
def test_case_and_outer_space_never_matter(found, value, operator):
    plain = met("subject", operator, value, message(subject=found))
    assert met("subject", operator, f" {value.casefold()}\t", message(subject=f"\t{found.casefold()} ")) is plain


# Reading


@pytest.mark.parametrize("asked", Property)
def test_a_property_is_named_by_its_word_or_its_label(asked):
    assert choose(Property, asked.value, "") is asked
    assert choose(Property, asked.label, "") is asked
    assert choose(Property, f" {asked.label.upper()} ", "") is asked


@pytest.mark.parametrize("operator", Operator)
def test_an_operator_is_named_by_its_word_or_its_label(operator):
    assert choose(Operator, operator.value, "") is operator
    assert choose(Operator, operator.label, "") is operator


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"property": "sbuject", "operator": "is", "value": "x"},
            "unknown property 'sbuject'. Did you mean 'subject'?",
        ),
        ({"property": "subject", "operator": "contain", "value": "x"}, "Did you mean 'contains'?"),
        ({"property": "qqq", "operator": "is", "value": "x"}, "Known: subject, message,"),
        (
            {"property": "subject", "operator": "greater_than", "value": "1"},
            "subject cannot be asked with greater_than",
        ),
        (
            {"property": "message_size", "operator": "contains", "value": "1"},
            "use one of is, is_not, greater_than, less_than",
        ),
        ({"property": "message_size", "operator": "is", "value": "big"}, "message_size is a number; 'big' is not"),
        ({"property": "subject", "operator": "is"}, "a condition has exactly property, operator and value"),
        ({"property": "subject", "operator": "is", "value": "x", "case": True}, "exactly property, operator and value"),
        ("subject is x", "exactly property, operator and value"),
        ({"property": "x" * 5000, "operator": "is", "value": ""}, "…"),
    ],
)
def test_a_mistake_is_explained(entry, says):
    with pytest.raises(ConfigError, match=r"^route 'A', group 1: ") as caught:
        parse_condition(entry, "route 'A', group 1")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_unknown_word_with_no_neighbor_lists_what_is_known():
    assert hint("zzz", ["one", "two"]) == " Known: one, two."


@given(
    st.sampled_from(Property),
    st.sampled_from(Operator),
    st.text(max_size=10) | st.integers() | st.booleans() | st.floats(),
)
def test_what_can_be_read_can_be_asked(asked, operator, value):
    entry = {"property": asked.value, "operator": operator.value, "value": value}
    try:
        condition = parse_condition(entry, "here")
    except ConfigError:
        assert asked in NUMBERS or operator in {Operator.GREATER_THAN, Operator.LESS_THAN}
        return
    assert holds(condition, message(), lambda pattern, text: False) in {True, False}
