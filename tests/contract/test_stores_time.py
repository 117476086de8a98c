"""What every store promises of time and people: expiries, doubts, moves and retention."""

import pytest

from secondpost.core.delivery import Move, State
from secondpost.core.message import Message
from secondpost.core.outcome import Fault, Rejected, Unclear
from secondpost.core.priority import Priority
from secondpost.store.base import Ending, Store
from secondpost.store.log import Query
from tests.store.samples import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    WORKER,
    accepted,
    claim,
    ended,
    message_id,
    record,
    start,
    states,
    submission,
)

# Time and people ---------------------------------------------------------------------------------------------------


async def test_waiting_deliveries_expire_and_others_do_not(store):
    waiting = submission(1, recipients=("a@x.org", "b@x.org"), expires=NOW + HOUR)
    await store.accept(waiting)
    await store.accept(submission(2, worker=WORKER, expires=NOW + HOUR))
    await store.accept(submission(3, expires=NOW + DAY))
    assert await store.overdue(now=NOW, limit=10) == []
    assert await store.overdue(now=NOW + HOUR, limit=10) == [(waiting.id, (0, 1))]
    await store.expire([Ending(message=waiting.id, numbers=(0, 1))])
    assert await store.overdue(now=NOW + HOUR, limit=10) == []
    assert await states(store, waiting) == [State.EXPIRED, State.EXPIRED]


async def test_an_expiry_is_written_with_its_report_or_not_at_all(store):
    ended, withdrawn = submission(1), submission(2)
    reports = submission(3, sender=""), submission(4, sender="")
    await store.accept(ended)
    await store.accept(withdrawn)
    await store.move(withdrawn.id, None, Move.CANCEL, now=NOW, due=None, reason="by hand")
    await store.expire(
        [
            Ending(message=it.id, numbers=(0,), report=report)
            for it, report in zip((ended, withdrawn), reports, strict=True)
        ]
    )
    assert [await states(store, it) for it in (ended, withdrawn)] == [[State.EXPIRED], [State.CANCELLED]]
    assert await states(store, reports[0]) == [State.WAITING]
    assert await store.content(reports[0].id) == reports[0].message
    assert await store.entry(reports[1].id) is None


async def test_a_move_is_written_with_its_report_or_not_at_all(store):
    it, early, report = submission(1, recipients=("a@x.org", "b@x.org")), submission(2), submission(3, sender="")
    await store.accept(it)
    cancelled = {"now": NOW, "due": None, "reason": "by hand"}
    assert await store.move(it.id, [0], Move.CANCEL, **cancelled) == (0,)
    assert await store.move(it.id, [0, 1], Move.CANCEL, **cancelled, report=early) == ()
    assert await store.move(it.id, [0], Move.CANCEL, **cancelled, report=early) == ()
    assert (await states(store, it), await store.entry(early.id)) == ([State.CANCELLED, State.WAITING], None)
    assert await store.move(it.id, [1], Move.CANCEL, **cancelled, report=report) == (1,)
    assert (await states(store, it), await states(store, report)) == ([State.CANCELLED] * 2, [State.WAITING])


async def test_a_result_is_written_with_its_report_or_not_at_all(store):
    it, report = submission(1, worker=WORKER), submission(2, sender="")
    await store.accept(it)
    refused = ended(0, Rejected(Fault.RECIPIENT, "550 no"), Move.REJECT)
    assert await store.record(record(it, refused, fence=7, report=report)) is False
    assert await store.entry(report.id) is None
    assert await store.record(record(it, refused, report=report)) is True
    assert (await states(store, it), await states(store, report)) == ([State.REJECTED], [State.WAITING])
    (lease,) = await claim(store)
    assert (lease.id, lease.sender) == (report.id, "")


async def doubtful(store: Store, number: int = 1, **given: object):
    it = submission(number, worker=WORKER)
    await store.accept(it)
    await store.start(start(it))
    await store.record(record(it, ended(0, Unclear("lost"), Move.DOUBT, **given)))
    return it


async def test_a_doubt_is_shown_when_its_policy_is_due(store):
    it = await doubtful(store, due=NOW + MINUTE)
    assert await store.doubts(tuple(Priority), now=NOW, limit=10) == []
    assert await store.doubts(tuple(Priority), now=NOW + MINUTE, limit=10) == [(it.id, 0, Priority.NORMAL)]


async def test_only_doubts_of_the_priorities_asked_for_are_told(store):
    it = await doubtful(store, due=NOW)
    assert await store.doubts([Priority.URGENT, Priority.BULK], now=NOW, limit=10) == []
    assert await store.doubts([Priority.NORMAL], now=NOW, limit=10) == [(it.id, 0, Priority.NORMAL)]


async def test_a_doubt_that_is_held_for_a_person_is_never_due(store):
    await doubtful(store, due=None)
    assert await store.doubts(tuple(Priority), now=NOW + 365 * DAY, limit=10) == []


@pytest.mark.parametrize(
    ("move", "state"),
    [
        (Move.SETTLE_ARRIVED, State.ACCEPTED),
        (Move.SETTLE_REFUSED, State.REJECTED),
        (Move.SETTLE_NOT_TAKEN, State.WAITING),
        (Move.SEND_AGAIN, State.WAITING),
        (Move.CANCEL, State.CANCELLED),
    ],
)
async def test_a_doubt_is_settled(store, move, state):
    it = await doubtful(store)
    assert await store.move(it.id, [0], move, now=NOW, due=NOW + MINUTE, reason="by Anna") == (0,)
    (delivery,) = (await store.entry(it.id)).deliveries
    assert (delivery["state"], delivery["reason"]) == (state, "by Anna")
    assert delivery["due"] == (NOW + MINUTE if state is State.WAITING else None)
    assert delivery["possible_duplicate"] is (move is Move.SEND_AGAIN)


async def test_what_is_sent_again_is_marked_as_a_possible_duplicate_in_its_lease(store):
    it = await doubtful(store)
    await store.move(it.id, None, Move.SEND_AGAIN, now=NOW, due=None, reason="policy")
    (lease,) = await claim(store)
    assert lease.deliveries[0].possible_duplicate


async def test_a_move_takes_only_what_allows_it(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org", "c@x.org"))
    await store.accept(it)
    await store.record(record(it, accepted(1)))
    assert await store.move(it.id, None, Move.CANCEL, now=NOW, due=None, reason="") == (0, 2)
    assert await store.move(it.id, None, Move.CANCEL, now=NOW, due=None, reason="") == ()
    assert await store.move(12345, None, Move.CANCEL, now=NOW, due=None, reason="") == ()


async def test_what_waits_for_later_can_be_made_due_now(store):
    it = submission(recipients=("a@x.org", "b@x.org"), due=NOW + HOUR)
    await store.accept(it)
    await store.move(it.id, [1], Move.CANCEL, now=NOW, due=None, reason="")
    assert await store.hasten(it.id, now=NOW + MINUTE) == (0,)
    assert len(await claim(store, now=NOW + MINUTE)) == 1
    assert await store.hasten(it.id, now=NOW + MINUTE) == ()
    assert await store.hasten(1, now=NOW) == ()


# Retention ---------------------------------------------------------------------------------------------------------


async def purge(store: Store, *, content: int = 0, log: int = 0, limit: int = 100):
    return await store.purge(
        content_before=NOW + content * DAY, log_before=NOW + log * DAY, now=NOW + 30 * DAY, limit=limit
    )


async def test_content_goes_first_and_the_log_entry_later(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.record(record(it))
    assert await purge(store, content=-1, log=-9) == (0, 0)
    assert await purge(store, content=1, log=-9) == (1, 0)
    assert await store.content(it.id) is None
    assert await states(store, it) == [State.ACCEPTED]
    assert await purge(store, content=1, log=1) == (0, 1)
    assert await store.entry(it.id) is None
    assert await store.page(Query(address="anna")) == []
    assert await purge(store, content=1, log=1) == (0, 0)


async def test_what_is_still_open_is_never_dropped(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org"))
    await store.accept(it)
    await store.record(record(it, accepted(0)))
    assert await purge(store, content=9, log=9) == (0, 0)
    assert await store.content(it.id) == it.message


async def test_purging_goes_on_until_nothing_is_left(store):
    for number in range(25):
        it = submission(number, worker=WORKER, id=message_id(number))
        await store.accept(it)
        if number % 5:
            await store.record(record(it))
    rounds = 0
    while any(await purge(store, content=9, log=9, limit=3)):
        rounds += 1
    assert rounds >= 7
    assert len(await store.page(Query(limit=100))) == 5


async def test_the_contents_that_are_kept_are_told_with_their_sizes_newest_first(store):
    crowd = [submission(n, worker=WORKER, id=message_id(n), message=Message(b"", bytes(n))) for n in range(1, 6)]
    for it in crowd:
        await store.accept(it)
    done, doubted, dropped, waiting, last = crowd
    for it in (done, dropped, last):
        await store.record(record(it))
    await store.start(start(doubted))
    await store.record(record(doubted, ended(0, Unclear(), Move.DOUBT)))
    assert await store.drop([dropped.id], whole=False) == [dropped.id]
    told = [(last.id, 5), (waiting.id, 0), (doubted.id, 0), (done.id, 1)]
    assert await store.contents(before=None, limit=9) == told
    assert await store.contents(before=None, limit=2) == told[:2]
    assert await store.contents(before=waiting.id, limit=9) == told[2:]
    assert await store.contents(before=done.id, limit=9) == []
