"""One attempt: what it carries, the right to cross, and what its report means for each delivery."""

from typing import Any

import pytest

from secondpost.core.connection import Connection, FromRules
from secondpost.core.delivery import Move
from secondpost.core.fallback import Done, Doubt, NextConnection, Wait
from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.core.priority import Priority
from secondpost.errors import StoreUnavailable
from secondpost.mailers.base import Report
from secondpost.service import attempt
from secondpost.service.line import Errand, Line, Race
from secondpost.service.submit import utc_now
from secondpost.store.base import Delivery, Lease, Start
from tests.service.conftest import DOWN, Disk, ScriptedMailer

NOW = utc_now()
HEAD = b"From: Caller <app@example.com>\r\nSubject: hello\r\n\r\n"


def lease(*recipients: str, spent: tuple[str, ...] = (), **delivery: Any) -> Lease:
    return Lease(
        id=7, sender="app@example.com", priority=Priority.NORMAL, expires=NOW, accepted=NOW, route=("main",), fence=3,
        deliveries=[
            Delivery(number=number, recipient=recipient, tries=1, spent=spent, **delivery)
            for number, recipient in enumerate(recipients or ("a@example.net",))
        ],
    )  # fmt: skip


def line(sender: FromRules | None = None) -> Line:
    connection = Connection(name="main", mailer="scripted", sender=sender or FromRules())
    return Line(connection, ScriptedMailer(connection))


def parcel(it: Lease, sender: FromRules | None = None):
    return attempt.parcel(Errand(it), line(sender), Message(HEAD, b"body\r\n"))


def report(*outcomes: Outcome) -> Report:
    return Report(outcomes=outcomes, phase=Phase.POINT)


# What is carried ------------------------------------------------------------------------------------------------------


def test_a_parcel_has_the_envelope_of_the_lease_and_the_message_signed():
    it = parcel(lease("a@example.net", "b@example.net"))
    assert (it.id, it.sender, it.recipients) == (7, "app@example.com", ("a@example.net", "b@example.net"))
    assert it.message.head.endswith(HEAD)
    assert it.message.head.startswith(b"X-Mailer: ")


def test_the_from_rules_of_the_connection_hold_for_its_copy():
    it = parcel(lease(), FromRules(email="shop@example.org", name="Shop", force_name=True))
    assert b"From: Shop\r\n <shop@example.org>\r\nReply-To: Caller <app@example.com>\r\n" in it.message.head
    assert it.sender == "shop@example.org"


def test_a_notification_keeps_its_null_reverse_path_under_any_rules():
    it = lease()
    it.sender = ""
    assert parcel(it, FromRules(email="shop@example.org")).sender == ""


def test_the_key_is_the_same_for_the_same_message_recipients_and_connection_and_no_other():
    both = lease("a@example.net", "b@example.net")
    assert parcel(both).key == parcel(both).key
    one = lease("a@example.net")
    assert parcel(one).key != parcel(both).key
    other = Line(Connection(name="other", mailer="scripted"), line().mailer)
    assert attempt.parcel(Errand(both), other, Message(HEAD, b"")).key != parcel(both).key


# The right to cross ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def store():
    return Disk()


def passage(store: Disk, race: Race | None = None) -> attempt.Passage:
    start = Start(attempt=1, message=7, worker="w", fence=3, numbers=(0,), connection="main", now=NOW)
    return attempt.Passage(store, Errand(lease(), race=race), start)


async def test_the_point_is_asked_for_once_however_often_it_is_prepared(store):
    store.slow = {"start"}
    it = passage(store)
    it.prepare()
    it.prepare()
    assert len(store.asked) == 1
    assert it.started
    assert not it.crossed


async def test_in_a_race_the_point_is_written_down_only_by_who_won(store):
    store.slow = {"start"}
    race = Race()
    winner, loser = passage(store, race), passage(store, race)
    winner.prepare()
    assert store.asked == []
    assert race.take(winner.errand)
    assert not await loser.take()
    assert not loser.started
    assert store.asked == []


async def test_a_lease_that_was_lost_gives_no_right(store):
    it = passage(store)
    assert not await it.take()
    assert not it.crossed


async def test_a_point_that_could_not_be_written_down_has_not_begun(store):
    store.failing = {"start"}
    it = passage(store)
    it.prepare()
    assert not it.started
    with pytest.raises(StoreUnavailable):
        await it.take()
    assert not it.crossed


# What the report means ------------------------------------------------------------------------------------------------


def test_each_delivery_is_decided_by_its_own_outcome():
    outcomes = (Accepted("250"), Rejected(Fault.RECIPIENT, "550"), DOWN, Unclear("lost"))
    decisions = iter(
        (
            Done(moves=(Move.ACCEPT,)),
            Done(moves=(Move.REJECT,), failed=True),
            NextConnection(spend=True, costs_try=True),
            Doubt(due=NOW),
        )
    )
    it = lease("a@example.net", "b@example.net", "c@example.net", "d@example.net")
    seen = []

    def decide(delivery, outcome):
        seen.append((delivery.number, outcome))
        return next(decisions)

    result = attempt.judge(it, report(*outcomes), started=True, decide=decide, line="main")
    assert seen == list(enumerate(outcomes))
    assert [change.moves for change in result.changes] == [
        (Move.ACCEPT,),
        (Move.REJECT,),
        (Move.DEFER, Move.LEASE),
        (Move.DOUBT,),
    ]
    assert [(delivery.number, outcome) for delivery, outcome in result.failed] == [(1, outcomes[1])]
    assert [(d.number, d.tries, d.spent) for d in result.onward] == [(2, 2, ("main",))]
    assert [(change.tries, change.spent) for change in result.changes[2:]] == [(2, ("main",)), (1, ())]
    assert result.changes[3].due == NOW


def test_what_never_reached_the_point_starts_and_ends_in_one_record():
    result = attempt.judge(
        lease(), report(DOWN), started=False, decide=lambda *_: Wait(due=NOW), line="main"
    )  # fmt: skip
    assert result.changes[0].moves == (Move.START, Move.DEFER)


@pytest.mark.parametrize("started", [True, False])
def test_when_all_were_taken_nothing_else_is_asked(started):
    it = lease("a@example.net", "b@example.net", spent=("other",), possible_duplicate=True)
    result = attempt.accepted(it, report(Accepted("250"), Accepted("250")), started=started)
    assert (result.onward, result.failed) == ([], [])
    for change in result.changes:
        assert change.moves == ((Move.ACCEPT,) if started else (Move.START, Move.ACCEPT))
        assert (change.tries, change.spent, change.possible_duplicate) == (1, ("other",), True)


def test_all_accepted_means_every_recipient():
    assert attempt.all_accepted(report(Accepted(), Accepted()))
    assert not attempt.all_accepted(report(Accepted(), Deferred(Fault.RECIPIENT)))


def test_the_record_says_who_tried_what_when_and_why():
    start = Start(attempt=1, message=7, worker="w", fence=3, numbers=(0,), connection="main", now=NOW)
    ended = Report(outcomes=(Accepted("250"),), phase=Phase.POINT, transcript="S: 250 ok")
    it = attempt.record(
        Errand(lease(), note="fallback: other"), line(), start, ended, attempt.Result(changes=()), ended=NOW, tells=None
    )
    assert (it.attempt, it.message, it.worker, it.fence, it.connection) == (1, 7, "w", 3, "main")
    assert (it.phase, it.transcript, it.note) == (Phase.POINT, "S: 250 ok", "fallback: other")
