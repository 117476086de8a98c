import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.connection import Connection
from secondpost.core.message import Message, Summary
from secondpost.core.priority import Priority
from secondpost.core.routing import (
    Condition,
    Operator,
    Property,
    Rule,
    explain,
    facts,
    first,
    parse,
    to_dict,
    why_skipped,
)
from secondpost.errors import ConfigError

CONNECTIONS = {
    "main": Connection(name="main", mailer="smtp"),
    "second": Connection(name="second", mailer="smtp"),
    "off": Connection(name="off", mailer="smtp", enabled=False),
}


def asks(asked, operator, value):
    return {"property": asked, "operator": operator, "value": value}


def rule(*groups, name="A", connection="second", **rest):
    return parse({"name": name, "connection": connection, "any": [{"all": list(group)} for group in groups], **rest})


def message(**summary):
    return facts(Summary(**summary), Message(b"\r\n", b""), sender="", recipients=("a@one.example",), client="")


def chosen(rules, found):
    return first(rules, found, CONNECTIONS, None)


INVOICE = asks("subject", "contains", "invoice")
ALWAYS = asks("subject", "contains", "")
NEVER = asks("subject", "is", "never")


def test_the_first_rule_that_is_met_wins():
    rules = [rule([NEVER], name="1"), rule([ALWAYS], name="2"), rule([ALWAYS], name="3")]
    assert chosen(rules, message()).name == "2"


def test_mail_that_meets_no_rule_has_none():
    assert chosen([], message()) is None
    assert chosen([rule([NEVER])], message()) is None


@pytest.mark.parametrize(
    ("groups", "met"),
    [
        ([[ALWAYS, ALWAYS]], True),
        ([[ALWAYS, NEVER]], False),
        ([[NEVER], [ALWAYS]], True),
        ([[NEVER], [NEVER, ALWAYS]], False),
        ([[NEVER], []], False),
    ],
)
def test_a_group_needs_all_of_its_conditions_and_a_rule_any_of_its_groups(groups, met):
    assert (chosen([rule(*groups)], message()) is not None) is met


@pytest.mark.parametrize(
    ("skipped", "why"),
    [
        (rule([ALWAYS], enabled=False), "it is switched off"),
        (rule(), "it has no conditions"),
        (rule([], []), "it has no conditions"),
        (rule([ALWAYS], connection="gone"), "its connection 'gone' does not exist"),
        (rule([ALWAYS], connection="off"), "its connection 'off' is switched off"),
    ],
)
def test_a_rule_that_cannot_work_is_skipped_and_says_why(skipped, why):
    assert why_skipped(skipped, CONNECTIONS) == why
    assert chosen([skipped, rule([ALWAYS], name="next")], message()).name == "next"


def test_a_rule_may_block_and_needs_no_connection_for_it():
    blocking = parse({"name": "No", "block": True, "any": [{"all": [ALWAYS]}]})
    assert chosen([blocking], message()).block


def test_a_rule_may_set_backups_and_priority():
    met = chosen([rule([ALWAYS], backups=["main"], priority="Urgent")], message())
    assert (met.connection, met.backups, met.priority) == ("second", ("main",), Priority.URGENT)


def test_explaining_tells_of_every_rule_and_condition_what_was_found():
    rules = [rule(name="empty"), rule([INVOICE, NEVER], name="1"), rule([ALWAYS], name="2"), rule([INVOICE], name="3")]
    told = explain(rules, message(subject="Invoice 7"), CONNECTIONS, None)
    assert [(each["name"], each["met"], each["chosen"]) for each in told] == [
        ("empty", False, False),
        ("1", False, False),
        ("2", True, True),
        ("3", True, False),
    ]
    assert told[0]["skipped"] == "it has no conditions"
    assert told[1]["any"] == [
        [
            {**INVOICE, "found": ["Invoice 7"], "holds": True},
            {**NEVER, "found": ["Invoice 7"], "holds": False},
        ]
    ]
    json.dumps(told)


def test_explaining_chooses_one_of_two_rules_that_are_alike():
    told = explain([rule([ALWAYS]), rule([ALWAYS])], message(), CONNECTIONS, None)
    assert [each["chosen"] for each in told] == [True, False]


words = st.sampled_from(["is", "is_not", "contains", "does_not_contain", "starts_with", "ends_with", "matches_regex"])
conditions = st.builds(asks, st.sampled_from(["subject", "to", "From Name", "initiator"]), words, st.text(max_size=5))
groups = st.lists(st.lists(conditions, max_size=3).map(lambda all_: {"all": all_}), max_size=3)
entries = st.fixed_dictionaries(
    {"any": groups},
    optional={
        "name": st.text(max_size=10),
        "backups": st.lists(st.sampled_from(["main", "second"]), max_size=2),
        "priority": st.sampled_from(["urgent", "Normal", "BULK", ""]),
        "enabled": st.booleans(),
    },
).flatmap(
    lambda entry: st.sampled_from(
        [{**entry, "connection": "main"}, {**entry, "block": True}, {**entry, "connection": "gone"}]
    )
)


@given(entries)
def test_a_rule_reads_back_as_it_is_written(entry):
    read = parse(entry)
    assert parse(json.loads(json.dumps(to_dict(read)))) == read


@given(st.lists(entries.map(parse), max_size=5), st.text(max_size=8))
def test_explaining_and_choosing_agree(rules, subject):
    found = message(subject=subject)
    told = explain(rules, found, CONNECTIONS, None)
    winner = chosen(rules, found)
    marked = [each["chosen"] for each in told]
    assert sum(marked) == (winner is not None)
    if winner is not None:
        assert rules[marked.index(True)] is winner


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": "A"}, "route 'A': give either connection, or block = true"),
        ({"name": "A", "connection": "main", "block": True}, "give either connection, or block = true"),
        (
            {"connection": "main", "conection": "x"},
            "a route without a name: unknown key 'conection'. Did you mean 'connection'?",
        ),
        ({"name": "A", "connection": 3}, "connection must be the name of a connection"),
        ({"name": "A", "connection": "main", "any": "x"}, "route 'A', any: this must be a list"),
        ({"name": "A", "connection": "main", "any": [{"or": []}]}, "route 'A', group 1: a group is written"),
        ({"name": "A", "connection": "main", "any": ["x"]}, "group 1: a group is written"),
        ({"name": "A", "connection": "main", "any": [{"all": {}}]}, "group 1: this must be a list"),
        (
            {"name": "A", "connection": "main", "any": [{"all": [INVOICE, {}]}]},
            "route 'A', group 1, condition 2: a condition",
        ),
        ({"name": "A", "connection": "main", "backups": "second"}, "route 'A', backups: this must be a list"),
        ({"name": "A", "connection": "main", "enabled": "yes"}, "enabled must be true or false"),
        ({"name": "A", "block": 1}, "block must be true or false"),
        (
            {"name": "A", "connection": "main", "priority": "high"},
            "unknown priority 'high': use urgent, normal or bulk",
        ),
    ],
)
def test_a_mistake_is_explained(entry, says):
    with pytest.raises(ConfigError) as caught:
        parse(entry)
    assert says in str(caught.value)


def test_the_names_that_others_need_are_here():
    assert Rule().groups == ()
    assert Condition(property=Property.TO, operator=Operator.IS, value="x").value == "x"
