import pytest

from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected, Unclear


@pytest.mark.parametrize(
    "outcome", [Accepted("250 ok"), Deferred(Fault.LIMIT), Rejected(Fault.RECIPIENT), Unclear("EOF")]
)
def test_an_outcome_never_changes(outcome):
    with pytest.raises(AttributeError):
        outcome.reply = "something else"


def test_outcomes_with_the_same_content_are_equal():
    assert Deferred(Fault.PROVIDER, "451") == Deferred(Fault.PROVIDER, "451")
    assert Deferred(Fault.PROVIDER, "451") != Deferred(Fault.PROVIDER, "452")


def test_faults_are_written_as_the_rules_name_them():
    words = ["unreachable", "account", "limit", "provider", "recipient", "message", "local"]
    assert [fault.value for fault in Fault] == words
