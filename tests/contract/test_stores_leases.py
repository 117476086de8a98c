"""What every store promises of leases: who gets what, and what becomes of it when a worker dies."""

from datetime import timedelta

from secondpost.core.delivery import Move, State
from secondpost.core.message import Message
from secondpost.core.outcome import Deferred, Fault, Unclear
from secondpost.core.priority import Priority
from secondpost.store.base import Store
from tests.store.samples import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    ROUTE,
    WORKER,
    accepted,
    change,
    claim,
    ended,
    message_id,
    record,
    start,
    states,
    submission,
)

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
