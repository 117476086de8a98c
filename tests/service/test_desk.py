"""The desk gives each message its route, or says why it may not leave."""

from typing import Any

import pytest

from secondpost.core import message as rfc5322
from secondpost.core import routing
from secondpost.core.connection import Connection
from secondpost.core.priority import DEFAULTS, Priority
from secondpost.core.suppression import List
from secondpost.errors import Refusal
from secondpost.service.desk import Desk
from secondpost.service.submit import Draft


def connection(name: str, **fields: Any) -> Connection:
    return Connection(name=name, mailer="scripted", **fields)


@pytest.fixture
def desk() -> Desk:
    """Four connections: the first is primary, the second backup, the last is switched off."""
    desk = Desk(policies=dict(DEFAULTS))
    names = ("main", "second", "third")
    connections = {name: connection(name) for name in names} | {"off": connection("off", enabled=False)}
    desk.arrange(connections, primary="main", backup="second")
    return desk


def choose(desk, subject="hello", **fields):
    head = f"From: shop@example.com\r\nSubject: {subject}\r\n" + fields.pop("head", "") + "\r\n"
    given: dict[str, Any] = {"sender": "shop@example.com", "recipients": ("a@example.net",), "trusted": True} | fields
    draft = Draft(id=1, content=b"", **given)
    return desk.choose(draft, rfc5322.summarize(head.encode()), rfc5322.Message(head.encode(), b""))


def rule(name="Rule", word="invoice", **fields):
    condition = {"property": "subject", "operator": "contains", "value": word}
    return routing.parse({"name": name, "any": [{"all": [condition]}], **fields})


def test_the_ordinary_route_is_the_primary_and_then_the_backup(desk):
    assert choose(desk).connections == ("main", "second")


def test_without_a_backup_the_route_is_the_primary_alone(desk):
    desk.arrange(desk.connections, primary="main", backup="")
    assert choose(desk).connections == ("main",)


def test_a_new_arrangement_is_followed_at_once(desk):
    assert choose(desk).connections == ("main", "second")
    desk.arrange(desk.connections, primary="third", backup="main")
    assert choose(desk).connections == ("third", "main")


def test_a_connection_that_is_switched_off_is_in_no_route(desk):
    desk.arrange(desk.connections, primary="off", backup="second")
    assert choose(desk).connections == ("second",)


def test_a_backup_chain_of_its_own_comes_instead_of_the_backup(desk):
    desk.arrange(
        desk.connections | {"main": connection("main", backups=("third", "second"))}, primary="main", backup="second"
    )
    assert choose(desk).connections == ("main", "third", "second")


def test_the_first_rule_that_is_met_decides(desk):
    desk.rules = [rule("One", "order", connection="third"), rule("Two", connection="third"), rule(connection="main")]
    verdict = choose(desk, "your invoice")
    assert verdict.connections == ("third", "second")
    assert verdict.notes == {"why": "Smart Routing: Two"}


def test_what_no_rule_concerns_takes_the_ordinary_route(desk):
    desk.rules = [rule(connection="third")]
    verdict = choose(desk)
    assert (verdict.connections, verdict.notes) == (("main", "second"), None)


def test_a_rule_can_set_the_backups_and_the_priority(desk):
    desk.rules = [rule(connection="third", backups=["main"], priority="urgent")]
    verdict = choose(desk, "invoice")
    assert (verdict.connections, verdict.priority) == (("third", "main"), Priority.URGENT)


def test_a_rule_whose_connection_is_gone_or_off_is_passed_over(desk):
    desk.rules = [rule(connection="gone"), rule(connection="off")]
    assert choose(desk, "invoice").connections == ("main", "second")


def test_a_rule_that_blocks_leaves_no_way_and_names_itself(desk):
    desk.rules = [rule("No invoices", block=True)]
    verdict = choose(desk, "invoice")
    assert (verdict.connections, verdict.blocked) == ((), "blocked by the route No invoices")


def test_a_rule_can_ask_for_the_priority_that_the_entrypoint_gave(desk):
    condition = {"property": "priority", "operator": "is", "value": "bulk"}
    desk.rules = [routing.parse({"name": "Bulk", "connection": "third", "any": [{"all": [condition]}]})]
    assert choose(desk, priority=Priority.BULK).connections == ("third", "second")
    assert choose(desk).connections == ("main", "second")


def test_a_rule_can_ask_for_the_client(desk):
    condition = {"property": "initiator", "operator": "is", "value": "shop"}
    desk.rules = [routing.parse({"name": "Shop", "connection": "third", "any": [{"all": [condition]}]})]
    assert choose(desk, client="shop").connections == ("third", "second")


def test_a_test_has_the_connection_it_tests_and_no_other_and_no_rule_concerns_it(desk):
    desk.rules = [rule(block=True)]
    assert choose(desk, "invoice", connection="third").connections == ("third",)
    assert choose(desk, connection="off").connections == ("off",)


def test_a_message_that_names_its_connection_keeps_the_backup(desk):
    assert choose(desk, head="Secondpost-Connection: third\r\n").connections == ("third", "second")


def test_only_who_is_trusted_may_name_a_connection(desk):
    with pytest.raises(Refusal, match="may not choose"):
        choose(desk, head="Secondpost-Connection: third\r\n", trusted=False)


def test_a_connection_that_is_not_there_is_refused_with_those_that_are(desk):
    with pytest.raises(Refusal, match="main, second, third, off"):
        choose(desk, head="Secondpost-Connection: nowhere\r\n")


def test_do_not_send_blocks_all_but_tests(desk):
    desk.do_not_send = True
    assert choose(desk).blocked == "Do Not Send is switched on"
    assert choose(desk, connection="main").connections == ("main",)


def test_who_is_blocked_is_withheld_from_everybody(desk):
    desk.do_not_send = True
    withheld = desk.withheld(("a@example.net", "b@example.net"), choose(desk))
    assert withheld == dict.fromkeys(("a@example.net", "b@example.net"), "Do Not Send is switched on")


def test_who_is_suppressed_is_withheld_alone_whatever_the_case_of_the_domain(desk):
    desk.suppressed = List({"b@example.net": "spam"})
    assert desk.withheld(("a@example.net", "b@EXAMPLE.NET"), choose(desk)) == {"b@EXAMPLE.NET": "suppressed: spam"}
