"""Queue and log as plain values that programs and people can read."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from secondpost.core import message as rfc5322
from secondpost.core.delivery import Move, State
from secondpost.core.event import Sequel
from secondpost.core.outcome import Unclear
from secondpost.core.priority import Priority
from secondpost.errors import SecondpostError
from secondpost.service import present
from tests.service.conftest import DOWN, held

AT = datetime(2026, 1, 31, 14, 0, tzinfo=UTC)


def test_times_are_told_in_utc():
    assert present.iso(AT.astimezone(timezone(timedelta(hours=2)))) == "2026-01-31T14:00:00.000+00:00"
    assert present.iso(None) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31T14:00", AT),
        ("2026-01-31T16:00+02:00", AT),
        ("2026-01-31", AT.replace(hour=0)),
        ("", None),
        (None, None),
    ],
)
def test_a_time_that_a_person_gives_is_in_utc_unless_it_says_otherwise(text, at):
    assert present.when(text) == at


def test_what_is_no_time_is_refused_with_an_example():
    with pytest.raises(SecondpostError, match="2026-01-31T14:00"):
        present.when("yesterday")


def test_a_filter_is_made_of_what_a_person_means():
    number = rfc5322.id_text(77)
    query = present.query({"status": "sent", "address": "a@", "connection": "main", "before": number, "limit": "9"})
    assert (query.standings, query.address, query.connection, query.before, query.limit) == (
        (State.ACCEPTED,), "a@", "main", 77, 9,
    )  # fmt: skip
    assert present.query({}).limit == 50
    assert present.after(query, 5).before == 5


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "gone"},
        {"before": "x"},
        {"limit": 0},
        {"limit": -1},
        {"limit": "many"},
        {"limit": 10**9},
        {"limit": "0" * 6 + "10001"},
        {"since": "x"},
    ],
)
def test_a_filter_that_means_nothing_is_refused(filters):
    with pytest.raises(SecondpostError):
        present.query(filters)


@pytest.mark.parametrize(
    ("standings", "word"),
    [
        (("delivered", "delivered"), "delivered"),
        (("delivered", "accepted"), "accepted"),
        (("delivered", "waiting"), "waiting"),
        (("delivered", "bounced", "complained", "waiting"), "bounced"),
        (("failed", "bounced"), "failed"),
        (("cancelled", "delivered"), "delivered"),
        (("accepted", "accepted"), "accepted"),
        (("accepted", "waiting"), "waiting"),
        (("accepted", "rejected", "waiting"), "rejected"),
        (("rejected", "unclear"), "unclear"),
        (("cancelled", "accepted"), "accepted"),
        (("cancelled",), "cancelled"),
        ((), "cancelled"),
    ],
)
def test_one_word_tells_what_most_needs_to_be_known(standings, word):
    known = {one.value: one for one in (*State, *Sequel)}
    assert present.status([known[one] for one in standings]) == word


def test_every_standing_has_one_label():
    words = [word for word in present.LABELS if word not in {"suppressed", "withdrawn"}]  # cancelled, as blocked
    assert sorted(one for word in words for one in present.WORDS[word][0]) == sorted([*State, *Sequel])


async def told(office, message):
    return present.entry(await office.entry(message), office.worker.policies, office.clock())


async def test_an_entry_is_plain_data_whatever_became_of_the_message(office):
    office.primary.refuse = DOWN
    office.backup.answer = lambda parcel: (Unclear("lost"),)
    entry = await told(office, await office.send(tag="order"))
    assert json.dumps(entry)
    assert (entry["status"], entry["tag"], entry["from"], entry["to"]) == (
        "unclear", "order", "shop@example.com", ["a@example.net"],
    )  # fmt: skip
    assert [len(attempt["number"]) for attempt in entry["attempts"]] == [13, 13]


async def test_a_doubt_says_what_will_happen_to_it(office):
    office.primary.answer = lambda parcel: (Unclear("lost"),)
    normal = await told(office, await office.send())
    bulk = await told(office, await office.send(priority=Priority.BULK))
    assert "sends it again at" in normal["deliveries"][0]["next"]
    assert "held until a person" in bulk["deliveries"][0]["next"]


async def test_a_doubt_whose_time_is_over_before_the_policy_acts_says_that_it_is_held(office):
    office.primary.answer = lambda parcel: (Unclear("lost"),)
    late = await office.send(priority=Priority.URGENT)
    office.clock.forward(hours=2)  # nobody worked meanwhile
    assert "held until a person" in (await told(office, late))["deliveries"][0]["next"]
    office.policy(Priority.URGENT, expires=timedelta(seconds=30))
    short = await told(office, await office.send(priority=Priority.URGENT))
    assert "held until a person" in short["deliveries"][0]["next"]


async def test_what_waits_says_when_it_is_tried_again_and_what_is_done_says_nothing(office):
    done = await told(office, await office.send())
    assert "next" not in done["deliveries"][0]
    office.primary.refuse = office.backup.refuse = DOWN
    waiting = await told(office, await office.send())
    assert "tried again from" in waiting["deliveries"][0]["next"]


async def queue(office):
    return present.queue(await office.store.depth(), office.worker)


async def test_an_empty_queue_is_empty(office):
    assert await queue(office) == {
        "waiting": 0, "sending": 0, "unclear": 0, "oldest": None, "next_due": None, "groups": [],
    }  # fmt: skip


async def test_the_queue_says_what_waits_and_why(office):
    gate = held()
    office.primary.before = lambda: gate
    await office.send()
    office.primary.heal()
    office.primary.answer = lambda parcel: (Unclear("lost"),)
    await office.send()
    office.primary.refuse = office.backup.refuse = DOWN
    await office.send()
    found = await queue(office)
    assert (found["waiting"], found["sending"], found["unclear"]) == (1, 1, 1)
    assert {group["state"]: group["why"] for group in found["groups"]} == {
        "sending": "on its way",
        "unclear": "a provider may or may not have it",
        "waiting": "it is tried again when its time comes",
    }
    for _ in range(3):
        await office.send()
    whys = [group["why"] for group in (await queue(office))["groups"] if group["state"] == "waiting"]
    assert whys == ["no connection of its route can take mail now: primary, backup"]
    gate.set_result(None)


async def test_what_is_due_has_its_turn_soon(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send()
    office.clock.forward(minutes=1)
    assert (await queue(office))["groups"][0]["why"] == "its turn comes soon"
    await office.store.move(message, None, Move.CANCEL, now=office.clock(), due=None, reason="")
    assert (await queue(office))["waiting"] == 0
