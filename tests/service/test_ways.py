"""The ways mail can take now, in the order of its route."""

from datetime import timedelta
from typing import Any

import pytest

from secondpost.core import breaker, limits
from secondpost.core.connection import Connection
from secondpost.core.outcome import Deferred, Fault
from secondpost.core.priority import Priority
from secondpost.service.line import Errand, Line
from secondpost.service.submit import utc_now
from secondpost.service.ways import Ways
from secondpost.store.base import Delivery, Lease
from tests.service.conftest import ScriptedMailer

NOW = utc_now()


@pytest.fixture
def ways() -> Ways:
    """Three connections that are well."""
    ways = Ways(lambda: NOW, ordinary=("one", "two"))
    for name in ("one", "two", "three"):
        connection = Connection(name=name, mailer="scripted")
        ways.lines[name] = Line(connection, ScriptedMailer(connection))
    return ways


def errand(*route: str, tried: frozenset[str] = frozenset(), **delivery: Any) -> Errand:
    lease = Lease(
        id=1, sender="shop@example.com", priority=Priority.NORMAL, expires=NOW, accepted=NOW, route=route, fence=1,
        deliveries=[Delivery(number=0, recipient="a@example.net", **delivery)],
    )  # fmt: skip
    return Errand(lease, tried=tried)


def names(ways: Ways, it: Errand, **fields: str) -> list[str]:
    return [line.name for line in ways.open_to(it, NOW, **fields)]


def shut(ways: Ways, name: str) -> None:
    line = ways.lines[name]
    line.breaker = breaker.record(line.breaker, Deferred(Fault.ACCOUNT, "535 no"), started=NOW, now=NOW)


def test_they_come_in_the_order_of_the_route(ways):
    assert names(ways, errand("three", "one")) == ["three", "one"]


def test_what_was_tried_in_this_round_refused_for_good_or_is_shut_is_left_out(ways):
    assert names(ways, errand("one", "two", "three", tried=frozenset({"one"}))) == ["two", "three"]
    assert names(ways, errand("one", "two", "three", spent=("two",))) == ["one", "three"]
    assert names(ways, errand("one", "two", "three"), but="three") == ["one", "two"]
    shut(ways, "one")
    assert names(ways, errand("one", "two", "three")) == ["two", "three"]


def test_a_connection_that_is_gone_is_passed_over(ways):
    assert names(ways, errand("gone", "three")) == ["three"]


def test_mail_whose_connections_are_all_gone_takes_the_ordinary_route(ways):
    assert names(ways, errand("gone")) == ["one", "two"]
    assert names(ways, errand()) == ["one", "two"]
    assert ways.usable(("gone",))


def test_while_connections_are_exchanged_the_ordinary_route_may_name_some_that_are_gone(ways):
    del ways.lines["one"]
    assert names(ways, errand("gone")) == ["two"]
    ways.lines.clear()
    assert names(ways, errand("gone")) == []
    assert not ways.usable(("gone",))


def test_a_possible_duplicate_goes_first_by_the_connection_that_may_have_it(ways):
    assert names(ways, errand("one", "two", "three", possible_duplicate=True, last="two")) == ["two", "one", "three"]
    assert names(ways, errand("one", "two", last="two")) == ["one", "two"]
    assert names(ways, errand("one", "two", possible_duplicate=True, last="three")) == ["one", "two"]
    shut(ways, "two")
    assert names(ways, errand("one", "two", possible_duplicate=True, last="two")) == ["one"]


def test_a_route_is_open_while_the_limits_of_a_usable_connection_let_one_more_go_soon(ways):
    def pause(name: str, seconds: float) -> None:
        named = Deferred(Fault.LIMIT, retry_after=timedelta(seconds=seconds))
        ways.lines[name].limiter = limits.gate(limits.Limiter(), named, NOW)

    pause("one", 60)
    assert ways.usable(("one",))
    assert not ways.open(("one",))
    assert ways.open(("one", "two"))
    shut(ways, "two")
    assert not ways.open(("one", "two"))
    pause("one", 20)
    assert ways.open(("one", "two"))


def test_a_route_is_usable_while_one_of_its_connections_is(ways):
    shut(ways, "one")
    assert ways.usable(("one", "two"))
    assert not ways.usable(("one",))
