"""What every store promises (store/base.py), told once and kept by each.

Rule: nothing here knows which store it is; what only lasts on disk is in tests/store.
"""

from datetime import timedelta

import pytest

from secondpost.core.delivery import IllegalMove, Move, State
from secondpost.core.event import Sequel
from secondpost.core.message import Message
from secondpost.core.outcome import Deferred, Fault, Phase, Rejected, Unclear
from secondpost.core.priority import Priority
from secondpost.errors import IdempotencyConflict, StoreError
from secondpost.store.base import Ending, Query, Store
from secondpost.store.sqlite import SqliteStore
from tests.store.samples import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    ROUTE,
    WORKER,
    accepted,
    change,
    ended,
    message_id,
    record,
    start,
    states,
    submission,
)


async def claim(
    store: Store, *, worker: str = WORKER, now=NOW, limit: int = 10, byte_limit: int = 2**20, routes=(ROUTE,)
):
    return await store.lease(worker, routes, now=now, limit=limit, byte_limit=byte_limit)


# Accepting ---------------------------------------------------------------------------------------------------------


async def test_what_is_for_later_is_not_leased_before(store):
    await store.accept(submission(due=NOW + HOUR))
    assert await claim(store) == []
    assert len(await claim(store, now=NOW + HOUR)) == 1


async def test_what_was_refused_is_known_until_it_is_forgotten(store):
    first, second = submission(1), submission(2, id=message_id(2))
    assert await store.refused() == []
    await store.refuse({it.id: store.accept(it) for it in (first, second)})
    assert await store.refused() == [first.id, second.id]
    await store.forget_refused(first.id)
    await store.forget_refused(first.id)
    assert await store.refused() == [second.id]


async def test_an_accepted_message_is_there_byte_for_byte(store):
    it = submission(message=Message(b"Subject: \xff\r\n\r\n", bytes(range(256)) * 10))
    receipt = await store.accept(it)
    assert (receipt.id, receipt.duplicate) == (it.id, False)
    assert await store.content(it.id) == it.message


async def test_an_empty_message_is_a_message(store):
    it = submission(message=Message(b"", b""))
    await store.accept(it)
    assert await store.content(it.id) == it.message


async def test_many_large_messages_at_once_are_no_trouble(store):
    body = bytes(5 * 2**20)
    crowd = [submission(n, id=message_id(n), message=Message(b"S: x\r\n\r\n", body)) for n in range(8)]
    for future in [store.accept(it) for it in crowd]:
        await future
    assert (await store.content(message_id(7))).body == body


async def test_the_content_of_an_unknown_message_is_none(store):
    assert await store.content(1) is None
    assert await store.entry(1) is None


async def test_every_recipient_is_a_delivery_that_waits_from_now_on(store):
    it = submission(recipients=("a@x.org", "b@x.org", "a@x.org"))
    await store.accept(it)
    entry = await store.entry(it.id)
    assert [(d["number"], d["recipient"], d["state"]) for d in entry.deliveries] == [
        (0, "a@x.org", State.WAITING),
        (1, "b@x.org", State.WAITING),
        (2, "a@x.org", State.WAITING),
    ]
    assert entry.deliveries[0]["due"] == NOW
    assert entry.deliveries[0]["route"] == ROUTE


async def test_a_message_accepted_for_a_worker_is_its_own_with_fence_one(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    assert await states(store, it) == [State.LEASED]
    assert await claim(store, worker="worker-b") == []
    assert await store.start(start(it, fence=1)) is True


async def test_a_withheld_recipient_is_cancelled_with_its_reason(store):
    it = submission(recipients=("a@x.org", "b@x.org"), withheld={"b@x.org": "complained"}, worker=WORKER)
    await store.accept(it)
    entry = await store.entry(it.id)
    assert [(d["state"], d["reason"]) for d in entry.deliveries] == [
        (State.LEASED, ""),
        (State.CANCELLED, "complained"),
    ]


async def test_an_id_cannot_be_used_twice_and_the_first_message_stays(store):
    it = submission()
    await store.accept(it)
    with pytest.raises(StoreError):
        await store.accept(submission(subject="another"))
    assert await store.content(it.id) == it.message


async def test_text_that_is_no_text_is_taken_anyway(store):
    it = submission(subject="caf\udce9 \x00 \U0001f600", client="\udc80", worker=WORKER)
    await store.accept(it)
    assert await store.record(record(it, accepted(reply="250 \udce9"), transcript="\udce9")) is True
    entry = await store.entry(it.id)
    assert entry.row.subject.startswith("caf")
    assert entry.row.subject.endswith("\U0001f600")


# Idempotency -------------------------------------------------------------------------------------------------------


async def test_f47_the_same_key_with_the_same_content_gets_the_first_id(store):
    first, second = submission(1, key="k"), submission(2, key="k", subject="Order 1")
    await store.accept(first)
    receipt = await store.accept(second)
    assert (receipt.id, receipt.duplicate) == (first.id, True)
    assert await store.entry(second.id) is None


async def test_f47_the_same_key_with_other_content_is_a_conflict(store):
    await store.accept(submission(1, key="k"))
    other = submission(2, key="k", recipients=("someone.else@example.org",))
    with pytest.raises(IdempotencyConflict):
        await store.accept(other)
    assert await store.entry(other.id) is None


async def test_the_callers_digest_decides_what_is_the_same(store):
    await store.accept(submission(1, key="k", digest="d"))
    again = submission(2, key="k", digest="d", message=Message(b"Subject: x\r\n\r\n", b"another boundary"))
    assert (await store.accept(again)).duplicate
    with pytest.raises(IdempotencyConflict):
        await store.accept(submission(3, key="k", digest="e"))


async def test_keys_of_different_clients_are_different_keys(store):
    await store.accept(submission(1, key="k", client="shop"))
    assert not (await store.accept(submission(2, key="k", client="blog"))).duplicate


async def test_a_key_is_forgotten_after_a_day(store):
    await store.accept(submission(1, key="k"))
    late = submission(2, key="k", recipients=("b@x.org",), accepted=NOW + 24 * HOUR)
    assert not (await store.accept(late)).duplicate
    assert (
        await store.accept(submission(3, key="k", recipients=("b@x.org",), subject="Order 2", accepted=NOW + 25 * HOUR))
    ).id == late.id


async def test_one_conflict_in_a_crowd_concerns_nobody_else(store):
    await store.accept(submission(0, key="k"))
    crowd = [submission(n, key="k" if n == 3 else "", subject=f"Order {n}") for n in range(1, 8)]
    futures = [store.accept(it) for it in crowd]
    with pytest.raises(IdempotencyConflict):
        await futures.pop(2)
    assert [(await future).id for future in futures] == [it.id for it in crowd if not it.key]


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


# Leasing -----------------------------------------------------------------------------------------------------------


async def test_a_lease_says_all_that_the_worker_needs(store):
    it = submission(recipients=("a@x.org", "b@x.org"), priority=Priority.URGENT)
    await store.accept(it)
    (lease,) = await claim(store)
    assert (lease.id, lease.sender, lease.priority, lease.route) == (it.id, it.sender, it.priority, ROUTE)
    assert (lease.expires, lease.accepted, lease.size) == (it.expires, it.accepted, it.message.size)
    assert (lease.entrypoint, lease.notes, lease.message) == (it.entrypoint, it.notes, it.message)
    assert [(d.number, d.recipient, d.tries, d.spent) for d in lease.deliveries] == [
        (0, "a@x.org", 0, ()),
        (1, "b@x.org", 0, ()),
    ]
    assert await store.start(start(it, fence=lease.fence)) is True


async def test_f35_nobody_gets_what_another_has(store):
    await store.accept(submission())
    assert len(await claim(store)) == 1
    assert await claim(store, worker="worker-b") == []


async def test_every_lease_has_a_higher_fence(store):
    it = submission()
    await store.accept(it)
    fences = []
    for _ in range(3):
        (lease,) = await claim(store)
        fences.append(lease.fence)
        await store.record(record(it, change(Move.PUT_OFF, due=NOW), attempt=0, fence=lease.fence))
    assert fences == sorted(set(fences))
    assert await store.start(start(it, fence=fences[0])) is False


async def test_urgent_goes_first_then_what_is_due_longest(store):
    for number, (priority, due) in enumerate([
        (Priority.BULK, 0), (Priority.NORMAL, 2), (Priority.NORMAL, 1), (Priority.URGENT, 3), (Priority.URGENT, 2),
    ]):  # fmt: skip
        await store.accept(submission(number, priority=priority, accepted=NOW + due * MINUTE, id=message_id(number)))
    leases = await claim(store, now=NOW + HOUR)
    assert [lease.id for lease in leases] == [message_id(number) for number in (4, 3, 2, 1, 0)]


async def test_what_is_not_due_yet_is_left(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.record(record(it, change(Move.PUT_OFF, due=NOW + MINUTE), attempt=0))
    assert await claim(store, now=NOW + MINUTE - timedelta(milliseconds=1)) == []
    assert len(await claim(store, now=NOW + MINUTE)) == 1


async def test_a_lease_names_the_connection_that_tried_last(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org"))
    await store.accept(it)
    ends = [ended(number, Unclear("lost"), Move.START, Move.DOUBT, due=NOW) for number in (0, 1)]
    await store.record(record(it, *ends, connection="backup"))
    await store.move(it.id, [0], Move.SEND_AGAIN, now=NOW, due=NOW, reason="policy")
    (lease,) = await claim(store)
    assert [(d.number, d.last, d.possible_duplicate) for d in lease.deliveries] == [(0, "backup", True)]


async def test_before_the_first_attempt_no_connection_was_the_last(store):
    it = submission(worker=WORKER)
    await store.accept(it)
    await store.record(record(it, change(Move.PUT_OFF, due=NOW), attempt=0, connection=""))
    (lease,) = await claim(store)
    assert lease.deliveries[0].last == ""


async def test_only_the_routes_asked_for_are_leased(store):
    one, other = submission(1, route=("primary",)), submission(2, route=("primary", "backup"))
    await store.accept(one)
    await store.accept(other)
    assert [lease.id for lease in await claim(store, routes=[("primary",)])] == [one.id]
    assert await claim(store, routes=[("nobody",)]) == []
    assert await claim(store, routes=[]) == []


async def test_routes_with_open_deliveries_are_known(store):
    done = submission(1, route=("old",), worker=WORKER)
    await store.accept(done)
    await store.accept(submission(2, route=("primary",)))
    await store.accept(submission(3, route=("leased",), worker=WORKER))
    await store.record(record(done))
    assert sorted(await store.routes()) == [("leased",), ("primary",)]


async def test_a_lease_is_bounded_by_messages_and_by_bytes(store):
    for number in range(10):
        await store.accept(submission(number, message=Message(b"S: x\r\n\r\n", b"x" * 92), id=message_id(number)))
    assert len(await claim(store, limit=3)) == 3
    assert len(await claim(store, byte_limit=250)) == 2
    assert len(await claim(store, byte_limit=1)) == 1  # one always: a large message must not wait for ever
    assert len(await claim(store)) == 4


async def test_a_message_with_a_thousand_recipients_is_one_lease(store):
    it = submission(recipients=tuple(f"{n}@x.org" for n in range(1000)))
    await store.accept(it)
    await store.accept(submission(2))
    (lease, *_) = await claim(store, limit=1)
    assert (lease.id, len(lease.deliveries)) == (it.id, 1000)


async def test_a_message_partly_done_is_leased_for_the_rest(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org"))
    await store.accept(it)
    wait = ended(1, Deferred(Fault.RECIPIENT, "450"), Move.DEFER, due=NOW, tries=1, spent=("primary",))
    await store.record(record(it, accepted(0), wait))
    (lease,) = await claim(store)
    (delivery,) = lease.deliveries
    assert (delivery.number, delivery.tries, delivery.spent, lease.fence) == (1, 1, ("primary",), 2)


# Workers that died -------------------------------------------------------------------------------------------------


async def lapse(store: Store, *, now=NOW, alone: bool = False, keep: str = WORKER) -> tuple[int, int]:
    after = {Priority.URGENT: 5 * MINUTE, Priority.NORMAL: HOUR, Priority.BULK: DAY}
    return await store.lapse(now=now, alone=alone, keep=keep, unclear_after=after)


async def test_what_a_dead_worker_held_waits_again_and_what_it_was_sending_is_a_doubt(store):
    held, sending = submission(1, worker=WORKER), submission(2, worker=WORKER)
    await store.accept(held)
    await store.accept(sending)
    await store.start(start(sending))
    await store.enroll(WORKER, boot="b", expires=NOW + MINUTE)
    assert await lapse(store, now=NOW + MINUTE, keep="worker-b") == (1, 1)
    assert (await states(store, held), await states(store, sending)) == ([State.WAITING], [State.UNCLEAR])
    assert await store.start(start(held)) is False
    assert await store.record(record(sending)) is False
    (attempt,) = (await store.entry(sending.id)).attempts
    assert (attempt["ended"], attempt["outcomes"]) == (NOW + MINUTE, [{"number": 0, "kind": "unclear", "reply": ""}])


async def test_a_live_worker_keeps_its_leases(store):
    await store.accept(submission(worker=WORKER))
    await store.enroll(WORKER, boot="b", expires=NOW + MINUTE)
    assert await lapse(store, keep="worker-b") == (0, 0)
    await store.enroll(WORKER, boot="b", expires=NOW + HOUR)
    assert await lapse(store, now=NOW + 2 * MINUTE, keep="worker-b") == (0, 0)


async def test_a_worker_that_nobody_knows_is_dead(store):
    await store.accept(submission(worker="stranger"))
    assert await lapse(store) == (1, 0)


async def test_alone_on_the_store_all_others_are_dead_whatever_they_promised(store):
    await store.accept(submission(1, worker="before"))
    await store.accept(submission(2, worker=WORKER))
    await store.enroll("before", boot="b", expires=NOW + HOUR)
    assert await lapse(store, alone=True) == (1, 0)


async def test_many_leases_lapse_at_once(store):
    crowd = [submission(n, worker="before", id=message_id(n)) for n in range(2500)]
    for future in [store.accept(it) for it in crowd]:
        await future
    assert await lapse(store, alone=True) == (2500, 0)


async def test_the_doubt_of_a_dead_worker_is_due_by_its_priority(store):
    it = submission(worker="before", priority=Priority.URGENT)
    await store.accept(it)
    await store.start(start(it, worker="before"))
    await lapse(store, alone=True)
    assert await store.doubts(tuple(Priority), now=NOW + 4 * MINUTE, limit=10) == []
    assert await store.doubts(tuple(Priority), now=NOW + 5 * MINUTE, limit=10) == [(it.id, 0, Priority.URGENT)]


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


# The log -----------------------------------------------------------------------------------------------------------


async def test_a_page_is_newest_first_and_goes_on_by_key(store):
    crowd = [submission(n, id=message_id(n)) for n in range(7)]
    for it in crowd:
        await store.accept(it)
    first = await store.page(Query(limit=3))
    second = await store.page(Query(limit=3, before=first[-1].id))
    third = await store.page(Query(limit=3, before=second[-1].id))
    assert [row.id for row in first + second + third] == [it.id for it in reversed(crowd)]


async def test_a_page_can_be_oldest_first_and_goes_on_by_key(store):
    crowd = [submission(n, id=message_id(n)) for n in range(7)]
    for it in crowd:
        await store.accept(it)
    first = await store.page(Query(limit=3, oldest_first=True))
    second = await store.page(Query(limit=3, oldest_first=True, before=first[-1].id))
    third = await store.page(Query(limit=3, oldest_first=True, before=second[-1].id))
    assert [row.id for row in first + second + third] == [it.id for it in crowd]
    assert await store.page(Query(oldest_first=True, before=crowd[-1].id)) == []


async def test_a_row_says_what_lists_show(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org"), priority=Priority.BULK)
    await store.accept(it)
    await store.record(record(it, accepted(1)))
    (row,) = await store.page(Query())
    assert (row.id, row.accepted, row.subject, row.sender) == (it.id, NOW, "Order 1", "shop@example.com")
    assert (row.recipients, row.states) == (("a@x.org", "b@x.org"), (State.LEASED, State.ACCEPTED))
    assert (row.by_backup, row.withheld, row.entrypoint) == (False, "", "smtp")
    assert (row.connection, row.client, row.size, row.priority) == ("primary", "shop", it.message.size, Priority.BULK)


async def test_an_entry_says_everything(store):
    it = submission(notes='{"why":"rule 1"}', tag="receipt", parent=42)
    await store.accept(it)
    await store.event("fallback", at=NOW, connection="primary", message=it.id, text="slow")
    entry = await store.entry(it.id)
    assert (entry.row.notes, entry.tag, entry.parent, entry.row.entrypoint) == (it.notes, "receipt", 42, "smtp")
    assert entry.expires == it.expires
    assert [(e["kind"], e["at"], e["text"]) for e in entry.events] == [("fallback", NOW, "slow")]


async def found(store: Store, **filters: object) -> list[str]:
    return [row.subject for row in await store.page(Query(**filters))]  # type: ignore[arg-type]


async def tell(store: Store, subject: str, *told: Sequel, number: int = 0) -> None:
    """What a provider says later came of a message."""
    ((message, text),) = [(row.id, f"#{number}") for row in await store.page(Query()) if row.subject == subject]
    for came in told:
        await store.event("told", at=NOW, message=message, text=text, sequel=(number, came))


@pytest.fixture(params=["fresh", "indexed"])
async def filled(request: pytest.FixtureRequest, store: Store) -> Store:
    """Seven messages in all states, before and after the search index reaches them."""
    it = [
        submission(n, worker=WORKER if n > 1 else "", subject=subject, recipients=to, accepted=NOW + n * HOUR)
        for n, subject, *to in (
            (1, "Your invoice", "anna@example.org"),
            (2, "Your Café order", "bob.smith@mail.example.net"),
            (3, "Password reset", "anna@example.org", "carol@example.com"),
            (4, "Your order", "dave@example.org"),
            (5, "Newsletter", "eve@example.org"),
            (6, "Receipt", "anna.b@example.org"),
            (7, "Ticket", "frank@example.org"),
        )
    ]
    for one in it:
        await store.accept(one)
    await store.record(record(it[1], accepted(0), connection="backup"))
    await store.record(record(it[2], accepted(0), ended(1, Rejected(Fault.RECIPIENT, "550"), Move.REJECT)))
    await store.start(start(it[3]))
    await store.start(start(it[4]))
    await store.record(record(it[4], ended(0, Unclear(), Move.DOUBT)))
    await store.move(it[5].id, None, Move.CANCEL, now=NOW, due=None, reason="")
    if request.param == "indexed" and isinstance(store, SqliteStore):
        assert await store.index(5) == 5  # so that some are still to be looked through
    return store


async def test_the_log_is_searched_by_address(filled):
    assert await found(filled, address="anna@example.org") == ["Password reset", "Your invoice"]
    assert await found(filled, address="ANNA") == ["Receipt", "Password reset", "Your invoice"]
    assert await found(filled, address="smith@mail") == ["Your Café order"]
    assert await found(filled, address="shop@example.com", limit=2) == ["Ticket", "Receipt"]
    assert await found(filled, address="anna@example.or") == []  # a whole address is looked for as it is
    assert await found(filled, address="anna@exam") == ["Password reset", "Your invoice"]
    assert await found(filled, address="nobody") == []


async def test_the_log_is_searched_by_subject(filled):
    assert await found(filled, subject="your") == ["Your order", "Your Café order", "Your invoice"]
    assert await found(filled, subject="cafe ord") == ["Your Café order"]
    assert await found(filled, subject='"quoted" OR (odd*) -words') == []
    assert len(await found(filled, subject="?!")) == 7


async def test_the_log_is_filtered_by_state(filled):
    assert await found(filled, standings=(State.WAITING,)) == ["Your invoice"]
    assert await found(filled, standings=(State.LEASED,)) == ["Ticket"]
    assert await found(filled, standings=(State.SENDING,)) == ["Your order"]
    assert await found(filled, standings=(State.UNCLEAR,)) == ["Newsletter"]
    assert await found(filled, standings=(State.ACCEPTED,)) == ["Password reset", "Your Café order"]
    assert await found(filled, standings=(State.REJECTED, State.CANCELLED)) == ["Receipt", "Password reset"]
    assert await found(filled, standings=(State.EXPIRED,)) == []


async def test_what_a_provider_told_later_is_shown_and_found(filled):
    await tell(filled, "Your Café order", Sequel.DELIVERED)
    await tell(filled, "Password reset", Sequel.BOUNCED)
    await tell(filled, "Receipt", Sequel.DELIVERED)  # withdrawn while it was unclear, and they had it
    assert await found(filled, standings=(Sequel.DELIVERED,)) == ["Receipt", "Your Café order"]
    assert await found(filled, standings=(Sequel.BOUNCED,)) == ["Password reset"]
    assert await found(filled, standings=(Sequel.COMPLAINED, State.REJECTED)) == ["Password reset"]
    assert await found(filled, standings=(State.ACCEPTED,)) == await found(filled, standings=(State.CANCELLED,)) == []
    assert await found(filled, standings=(Sequel.DELIVERED,), subject="cafe") == ["Your Café order"]
    assert await found(filled, standings=(Sequel.DELIVERED,), connection="primary") == []
    assert await filled.count(Query(standings=(Sequel.DELIVERED,))) == (2, False)
    (row,) = await filled.page(Query(standings=(Sequel.BOUNCED,)))
    assert (row.states, row.sequels) == ((State.ACCEPTED, State.REJECTED), (Sequel.BOUNCED, None))
    assert row.standings == (Sequel.BOUNCED, State.REJECTED)


async def test_of_what_was_told_what_weighs_most_stays_whatever_comes_first(filled):
    await tell(filled, "Your Café order", Sequel.DELIVERED, Sequel.COMPLAINED, Sequel.DELIVERED)
    await tell(filled, "Password reset", Sequel.BOUNCED, Sequel.DELIVERED)
    assert await found(filled, standings=(Sequel.COMPLAINED,)) == ["Your Café order"]
    assert await found(filled, standings=(Sequel.BOUNCED,)) == ["Password reset"]
    assert await found(filled, standings=(Sequel.DELIVERED,)) == []


async def test_what_is_still_open_stands_as_it_is_until_it_is_over(filled):
    await tell(filled, "Newsletter", Sequel.DELIVERED)
    assert await found(filled, standings=(Sequel.DELIVERED,)) == []
    assert await found(filled, standings=(State.UNCLEAR,)) == ["Newsletter"]
    (row,) = await filled.page(Query(standings=(State.UNCLEAR,)))
    await filled.move(row.id, None, Move.SETTLE_ARRIVED, now=NOW, due=None, reason="")
    assert await found(filled, standings=(Sequel.DELIVERED,)) == ["Newsletter"]


async def test_what_is_told_of_a_message_that_is_gone_changes_nothing(filled):
    await filled.event("delivered", at=NOW, message=42, text="#0", sequel=(0, Sequel.DELIVERED))
    assert await found(filled, standings=(*Sequel,)) == []


async def test_the_log_is_filtered_by_connection(filled):
    assert await found(filled, connection="backup") == ["Your Café order"]
    assert await found(filled, connection="primary") == ["Newsletter", "Your order", "Password reset"]
    assert await found(filled, connection="primary", standings=(State.REJECTED,)) == ["Password reset"]


async def test_the_log_is_filtered_by_date(filled):
    assert await found(filled, since=NOW + 3 * HOUR, until=NOW + 5 * HOUR) == ["Your order", "Password reset"]


async def test_the_log_is_filtered_by_who_sent_it_by_backup_and_by_the_words_of_an_error(filled):
    assert await found(filled, client="shop", limit=1) == ["Ticket"]
    assert await found(filled, client="sho") == []
    assert await found(filled, by_backup=True) == ["Your Café order"]
    assert await found(filled, error="55") == ["Password reset"]
    assert await found(filled, error="250") == []  # a success is no error
    assert await found(filled, error="%") == []


async def test_what_was_withheld_is_told_apart_by_its_reason(filled):
    reasons = {"a@x.org": "suppressed: bounced", "b@x.org": "blocked by the route Demo"}
    for number, (recipient, reason) in enumerate(reasons.items(), 20):
        it = submission(number, accepted=NOW + DAY, recipients=[recipient], withheld={recipient: reason})
        await filled.accept(it)
    cancelled = (State.CANCELLED,)
    assert await found(filled, withheld="suppressed", standings=cancelled) == ["Order 20"]
    assert await found(filled, withheld="blocked", standings=cancelled) == ["Order 21"]
    assert await found(filled, withheld="cancelled", standings=cancelled) == ["Receipt"]
    (row,) = await filled.page(Query(withheld="blocked", standings=cancelled))
    assert row.withheld == "blocked by the route Demo"


async def test_what_is_sealed_is_searched_too(filled):
    special = submission(30, accepted=NOW + DAY, message=Message(b"X-Order: A-17\r\n\r\n", b"Dear Zo\xc3\xab\r\n"))
    await filled.accept(special)
    assert await found(filled, head="x-order: a-17") == ["Order 30"]
    assert await found(filled, content="zoë") == ["Order 30"]
    assert await found(filled, content="a-17") == []
    assert len(await found(filled, content="thank you", limit=3)) == 3
    assert await found(filled, content="thank you", address="carol") == ["Password reset"]


async def test_a_look_goes_on_where_it_ended(filled):
    seen, before = [], None
    while True:
        look = await filled.look(Query(limit=2, before=before))
        seen += [row.subject for row in look.rows]
        if (before := look.before) is None:
            break
    assert seen == await found(filled, limit=10)
    assert len(seen) == 7


@pytest.mark.parametrize(
    "filters",
    [
        {"address": "anna"}, {"subject": "your"}, {"connection": "primary"}, {"by_backup": True}, {"error": "55"},
        {"standings": (State.ACCEPTED, State.WAITING)}, {"standings": (State.LEASED,)}, {"content": "thank you"},
        {"since": NOW + 2 * HOUR, "until": NOW + 6 * HOUR},
    ],
    ids=str,
)  # fmt: skip
async def test_oldest_first_every_filter_finds_the_same_the_other_way_round(filled, filters):
    newest = await found(filled, **filters)
    assert newest
    assert await found(filled, **filters, oldest_first=True) == newest[::-1]
    seen, before = [], None
    while True:
        look = await filled.look(Query(**filters, oldest_first=True, limit=1, before=before))
        seen += [row.subject for row in look.rows]
        if (before := look.before) is None:
            break
    assert seen == newest[::-1]


async def test_what_is_found_is_counted_up_to_a_limit(filled):
    assert await filled.count(Query(address="anna", limit=10)) == (3, False)
    assert await filled.count(Query(limit=5)) == (5, True)
    assert await filled.count(Query(client="nobody")) == (0, False)


async def test_only_finished_messages_are_dropped(filled):
    rows = await filled.page(Query())
    by_subject = {row.subject: row.id for row in rows}
    asked = [by_subject[name] for name in ("Your invoice", "Your Café order", "Receipt", "Newsletter")]
    assert await filled.drop([*asked, 42]) == [by_subject["Receipt"], by_subject["Your Café order"]]
    assert await filled.entry(by_subject["Receipt"]) is None
    assert await filled.content(by_subject["Receipt"]) is None
    assert await found(filled, subject="cafe") == []
    assert len(await found(filled)) == 5


async def test_filters_narrow_each_other(filled):
    assert await found(filled, address="anna", subject="reset", standings=(State.ACCEPTED,), connection="primary") == [
        "Password reset"
    ]
    assert await found(filled, address="anna", connection="backup") == []
    assert await found(filled, address="anna", before=message_id(3, NOW + 3 * HOUR)) == ["Your invoice"]


async def test_what_an_indexed_message_is_carried_by_later_is_found_too(filled):
    (lease,) = await claim(filled, now=NOW + DAY)
    it = submission(1, accepted=NOW + HOUR)
    assert await filled.record(record(it, fence=lease.fence, connection="backup")) is True
    assert await found(filled, connection="backup") == ["Your Café order", "Your invoice"]


async def test_the_depth_of_the_queue_is_told_by_route_state_and_priority(filled):
    await filled.accept(submission(8, accepted=NOW + 8 * HOUR))
    depth = {(d.state, d.priority): d for d in await filled.depth()}
    waiting = depth[State.WAITING, Priority.NORMAL]
    assert (waiting.route, waiting.count, waiting.oldest, waiting.next_due) == (ROUTE, 2, NOW + HOUR, NOW + HOUR)
    assert {state: d.count for (state, _), d in depth.items()} == {
        State.WAITING: 2, State.LEASED: 1, State.SENDING: 1, State.UNCLEAR: 1,
    }  # fmt: skip


async def test_events_are_newest_first_and_go_on_by_key(store):
    for number in range(5):
        await store.event("breaker", at=NOW + number * MINUTE, connection="primary", text=str(number))
    first = await store.events(limit=3)
    rest = await store.events(limit=3, before=first[-1]["id"])
    assert [event["text"] for event in first + rest] == ["4", "3", "2", "1", "0"]
    assert (first[0]["at"], first[0]["connection"], first[0]["message"]) == (NOW + 4 * MINUTE, "primary", None)


async def test_events_are_narrowed_by_kind_and_text(store):
    for kind, text in (("audit", "ada SIGNED in"), ("breaker", "open"), ("audit", "ben signed out"), ("audit", "100%")):
        await store.event(kind, at=NOW, connection="primary" if kind == "breaker" else "", text=text)

    async def found(**narrowed):
        return [event["text"] for event in await store.events(limit=2, **narrowed)]

    assert await found(kinds=["audit"]) == ["100%", "ben signed out"]
    assert await found(kinds=["audit"], text="Signed") == ["ben signed out", "ada SIGNED in"]
    assert await found(kinds=["audit", "breaker"], text="PRIMARY") == ["open"]
    assert await found(text="%") == ["100%"]


# Settings ----------------------------------------------------------------------------------------------------------


async def test_documents_are_kept_by_kind_and_name(store):
    await store.put("connection", "primary", {"password": "s3cret", "port": 587})
    await store.put("connection", "backup", {"list": [1, None, "é"]})
    await store.put("rule", "primary", True)
    assert await store.get("connection", "primary") == {"password": "s3cret", "port": 587}
    assert await store.all("connection") == {
        "backup": {"list": [1, None, "é"]},
        "primary": {"password": "s3cret", "port": 587},
    }
    await store.put("connection", "primary", {})
    assert await store.get("connection", "primary") == {}
    assert await store.get("connection", "nobody") is None


async def test_several_documents_are_written_and_deleted_at_once(store):
    await store.put("rule", "old", 1)
    await store.put_all("rule", {"old": None, "never": None, "new": [1], "other": 2})
    assert await store.all("rule") == {"new": [1], "other": 2}
    await store.put_all("rule", {})
    assert await store.all("rule") == {"new": [1], "other": 2}


async def test_a_deleted_document_is_gone(store):
    await store.put("rule", "one", 1)
    assert await store.delete("rule", "one") is True
    assert await store.delete("rule", "one") is False
    assert await store.get("rule", "one") is None


# Large bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
async def test_a_tail_comes_back_byte_for_byte(store, size):
    it = submission()
    body = bytes(index % 251 for index in range(size))
    writer = store.tail(it.id)
    for begin in range(0, size, 10_000):
        await writer.write(body[begin : begin + 10_000])
    tail = await writer.finish()
    message = Message(b"Subject: x\r\n\r\n", b"first", tail)
    await store.accept(submission(message=message))
    assert message.size == len(message.head) + 5 + size
    kept = await store.content(it.id)
    assert (kept.head, kept.body, kept.size) == (message.head, message.body, message.size)
    assert b"".join(kept.tail.blocks()) == body
    assert max((len(block) for block in kept.tail.blocks()), default=0) <= 65536


async def test_a_tail_is_abandoned_as_often_as_one_likes(store):
    writer = store.tail(message_id(1))
    writer.abandon()
    await writer.write(b"x" * 100_000)
    writer.abandon()
    writer.abandon()


# The whole ---------------------------------------------------------------------------------------------------------


async def test_a_store_in_order_is_ready_and_tells_its_state(store):
    await store.ready()
    status = await store.status()
    assert status["kind"] in {"memory", "sqlite"}
    assert status["trouble"] == ""
