"""What every store promises (store/base.py), told once and kept by each: taking in, and keeping.

Rule: nothing here knows which store it is; what only lasts on disk is in tests/store.
"""

import pytest

from secondpost.core.delivery import State
from secondpost.core.message import Message
from secondpost.errors import IdempotencyConflict, StoreError
from tests.store.samples import HOUR, NOW, ROUTE, WORKER, accepted, claim, message_id, record, start, states, submission

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
