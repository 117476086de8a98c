"""What every store promises of an attempt: the point of no return and the record."""

from datetime import timedelta

import pytest

from secondpost.core.delivery import IllegalMove, Move, State
from secondpost.core.outcome import Deferred, Fault, Phase, Rejected, Unclear
from secondpost.core.priority import Priority
from tests.store.samples import (
    HOUR,
    MINUTE,
    NOW,
    WORKER,
    accepted,
    change,
    claim,
    ended,
    record,
    start,
    states,
    submission,
)

# The point of no return --------------------------------------------------------------------------------------------


async def test_a_start_is_written_down_with_its_attempt(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    assert await store.start(start(it, attempt=7, connection="backup")) is True
    entry = await store.entry(it.id)
    (attempt,) = entry.attempts
    assert (attempt["number"], attempt["connection"], attempt["started"], attempt["ended"]) == (7, "backup", NOW, None)
    assert await states(store, it) == [State.SENDING]


@pytest.mark.parametrize("wrong", [{"fence": 2}, {"fence": 0}, {"worker": "worker-b"}, {"numbers": (0, 5)}])
async def test_a_start_without_the_lease_is_refused(store, wrong):
    it = submission(worker=WORKER)
    await store.accept(it)
    assert await store.start(start(it, **wrong)) is False
    assert await states(store, it) == [State.LEASED]


async def test_a_start_of_an_unknown_message_is_refused(store):
    assert await store.start(start(submission())) is False


async def test_the_same_start_twice_is_one(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    assert await store.start(start(it)) is True
    assert await store.start(start(it)) is True


async def test_only_one_attempt_may_cross(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    first, second = store.start(start(it, attempt=1)), store.start(start(it, attempt=2, connection="backup"))
    assert (await first, await second) == (True, False)


async def test_a_start_takes_all_its_deliveries_or_none(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org"))
    await store.accept(it)
    await store.move(it.id, [1], Move.CANCEL, now=NOW, due=None, reason="")
    assert await store.start(start(it)) is False
    assert await states(store, it) == [State.LEASED, State.CANCELLED]
    assert await store.start(start(it, numbers=(0,))) is True


async def test_what_a_person_cancelled_is_not_sent(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    assert await store.move(it.id, None, Move.CANCEL, now=NOW, due=None, reason="wrong list") == (0,)
    assert await store.start(start(it)) is False


# Recording ---------------------------------------------------------------------------------------------------------


async def test_a_record_ends_the_attempt_and_the_delivery(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.start(start(it))
    assert await store.record(record(it, transcript="C: QUIT", note="primary")) is True
    entry = await store.entry(it.id)
    (attempt,), (delivery,) = entry.attempts, entry.deliveries
    assert (attempt["ended"] - attempt["started"], attempt["phase"]) == (timedelta(seconds=1), Phase.POINT)
    assert (attempt["transcript"], attempt["note"]) == ("C: QUIT", "primary")
    assert attempt["outcomes"] == [{"number": 0, "kind": "accepted", "reply": "250 2.0.0 queued", "provider_id": "p-1"}]
    assert (delivery["state"], delivery["worker"], delivery["due"]) == (State.ACCEPTED, "", None)
    assert (delivery["connection"], delivery["reply"]) == ("primary", "250 2.0.0 queued")


async def test_a_record_without_a_start_starts_by_itself(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    assert await store.record(record(it)) is True
    assert await states(store, it) == [State.ACCEPTED]


async def test_each_recipient_has_its_own_outcome(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org", "c@x.org", "d@x.org"))
    await store.accept(it)
    await store.start(start(it))
    wait = Deferred(Fault.RECIPIENT, "450 greylisted", retry_after=MINUTE)
    changes = (
        accepted(0),
        ended(1, Rejected(Fault.RECIPIENT, "550 unknown"), Move.REJECT, reason="550 unknown"),
        ended(2, wait, Move.DEFER, due=NOW + MINUTE, tries=1, spent=("primary",)),
        ended(3, Unclear("lost"), Move.DOUBT, due=NOW + HOUR),
    )
    assert await store.record(record(it, *changes)) is True
    entry = await store.entry(it.id)
    assert [d["state"] for d in entry.deliveries] == [State.ACCEPTED, State.REJECTED, State.WAITING, State.UNCLEAR]
    assert [d["due"] for d in entry.deliveries] == [None, None, NOW + MINUTE, NOW + HOUR]
    assert (entry.deliveries[2]["tries"], entry.deliveries[2]["spent"]) == (1, ("primary",))
    assert entry.deliveries[1]["reason"] == "550 unknown"
    assert [o["kind"] for o in entry.attempts[0]["outcomes"]] == ["accepted", "rejected", "deferred", "unclear"]
    assert entry.attempts[0]["outcomes"][2]["retry_after"] == 60.0


@pytest.mark.parametrize("wrong", [{"fence": 2}, {"worker": "worker-b"}])
async def test_a_record_without_the_lease_changes_nothing(store, wrong):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.start(start(it))
    assert await store.record(record(it, **wrong)) is False
    entry = await store.entry(it.id)
    assert [d["state"] for d in entry.deliveries] == [State.SENDING]
    assert [attempt["ended"] for attempt in entry.attempts] == [None]


async def test_a_record_that_came_late_changes_nothing(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.start(start(it))
    await store.record(record(it))
    late = ended(0, Rejected(Fault.RECIPIENT, "550"), Move.REJECT)
    assert await store.record(record(it, late, attempt=2)) is False
    assert await states(store, it) == [State.ACCEPTED]


async def test_an_illegal_move_is_a_bug_and_changes_nothing(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.start(start(it))
    with pytest.raises(IllegalMove):
        await store.record(record(it, change(Move.PUT_OFF, due=NOW)))
    assert await states(store, it) == [State.SENDING]


async def test_one_illegal_record_in_a_crowd_concerns_nobody_else(store):
    crowd = [submission(n, worker=WORKER) for n in range(6)]
    for it in crowd:
        await store.accept(it)
    futures = [store.record(record(it, change(Move.EXPIRE) if n == 2 else accepted())) for n, it in enumerate(crowd)]
    with pytest.raises(IllegalMove):
        await futures.pop(2)
    assert all([await future for future in futures])


async def test_a_deferred_delivery_may_go_on_under_the_same_lease(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.start(start(it))
    onward = ended(0, Deferred(Fault.PROVIDER, "451"), Move.DEFER, Move.LEASE, tries=1, spent=())
    told, begun = store.record(record(it, onward)), store.start(start(it, attempt=2, connection="backup"))
    assert (await told, await begun) == (True, True)
    assert await store.record(record(it, attempt=2, connection="backup")) is True
    entry = await store.entry(it.id)
    assert [(a["number"], a["connection"]) for a in entry.attempts] == [(1, "primary"), (2, "backup")]
    assert entry.row.connection == "backup"


async def test_a_delivery_put_off_waits_and_has_no_attempt(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    off = change(Move.PUT_OFF, due=NOW + MINUTE)
    assert await store.record(record(it, off, attempt=0, connection="", phase=Phase.CONNECT)) is True
    entry = await store.entry(it.id)
    assert (entry.deliveries[0]["state"], entry.deliveries[0]["due"], entry.attempts) == (
        State.WAITING,
        NOW + MINUTE,
        [],
    )
    assert await store.start(start(it)) is False


async def test_accept_start_and_record_may_be_asked_for_at_once(store):
    it = submission(worker=WORKER)
    futures = [store.accept(it), store.start(start(it)), store.record(record(it))]
    assert [await future for future in futures][1:] == [True, True]
    assert await states(store, it) == [State.ACCEPTED]


async def test_an_attempt_told_in_parts_is_one(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org", "c@x.org"))
    await store.accept(it)
    await store.start(start(it))
    assert await store.record(record(it, accepted(0))) is True
    assert await store.record(record(it, accepted(1), transcript="all")) is True
    await store.lapse(now=NOW, alone=True, keep="worker-b", unclear_after=dict.fromkeys(Priority, HOUR))
    (attempt,) = (await store.entry(it.id)).attempts
    assert [(o["number"], o["kind"]) for o in attempt["outcomes"]] == [(0, "accepted"), (1, "accepted"), (2, "unclear")]
    assert attempt["transcript"] == "all"


async def test_numbers_of_attempts_may_come_again_after_a_restart(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    wait = ended(0, Deferred(Fault.PROVIDER, "451"), Move.DEFER, due=NOW)
    assert await store.record(record(it, wait, attempt=1)) is True
    (lease,) = await claim(store, worker="worker-b")
    assert await store.start(start(it, attempt=1, worker="worker-b", fence=lease.fence)) is True
    assert await store.record(record(it, attempt=1, worker="worker-b", fence=lease.fence)) is True
    assert len((await store.entry(it.id)).attempts) == 2
