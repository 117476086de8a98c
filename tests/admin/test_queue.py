"""Queue and Unclear: what a person sees, and decides."""

import asyncio

import pytest

from secondpost.core.outcome import Deferred, Fault, Phase, Unclear
from secondpost.mailers.base import Report
from secondpost.service.users import Role


@pytest.fixture
def send(admin):
    """Submits a message whose attempt ends as told; its id once that is written down."""

    async def send_(outcome, subject="Your order") -> str:
        async def answer(parcel, crossing):
            await crossing.take()
            return Report(outcomes=(outcome,), phase=Phase.POINT)

        admin.operations.worker.ways.lines["inbox"].mailer.send = answer
        sent = await admin.operations.send(sender="a@example.com", to=["b@example.net"], subject=subject, text="x")
        for _ in range(200):
            entry = await admin.operations.log_show(sent["id"])
            if entry["status"] in ("unclear", "waiting") and entry["attempts"]:
                break
            await asyncio.sleep(0.01)
        return str(sent["id"])

    return send_


async def states(admin, *ids):
    return [(await admin.operations.log_show(id))["deliveries"][0] for id in ids]


DOWN, LOST = Deferred(Fault.UNREACHABLE, "<b>refused</b>"), Unclear("no answer")


async def test_empty_lists_say_what_they_are_for(admin):
    browser = await admin.signed_in(Role.VIEWER)
    assert "Nothing waits." in (await browser.get("/queue")).text
    assert "we never send it again silently" in (await browser.get("/unclear")).text


async def test_the_queue_tells_why_and_what_a_provider_said_is_text(admin, send):
    await send(DOWN)
    page = (await (await admin.signed_in(Role.VIEWER)).get("/queue")).text
    assert "it is tried again when its time comes" in page
    assert "&lt;b&gt;refused&lt;/b&gt;" in page
    assert "Try now" not in page  # a viewer only looks


async def test_trying_now_is_asked_by_name_and_makes_it_due(admin, send):
    id = await send(DOWN)
    before = (await states(admin, id))[0]["due"]
    browser = await admin.signed_in(Role.OPERATOR)
    asked = await browser.post("/queue/try-now", data={"id": id})
    assert "Try now: 1 message" in asked.text
    assert (await states(admin, id))[0]["due"] == before
    await browser.post("/queue/try-now", data={"id": id, "sure": "1"})
    assert (await states(admin, id))[0]["due"] != before
    assert any(f"made due now: {id}" in line for line in await admin.audit())


async def test_cancelling_withdraws_what_was_ticked_and_tells_what_it_could_not(admin, send):
    first, second = await send(DOWN), await send(DOWN)
    await admin.operations.messages_cancel(first)
    browser = await admin.signed_in(Role.OPERATOR)
    done = await browser.post("/queue/cancel", data=[("id", first), ("id", second), ("sure", "1")])
    assert done.headers["location"] == "/queue"
    notice = (await browser.get("/queue")).text
    assert "1 message cancelled." in notice
    assert first in notice
    assert [one["state"] for one in await states(admin, first, second)] == ["cancelled", "cancelled"]


async def test_unclear_says_the_evidence_and_what_will_happen(admin, send):
    await send(LOST)
    page = (await (await admin.signed_in(Role.VIEWER)).get("/unclear")).text
    assert "handed over whole" in page
    assert "Unless it is settled before, it is sent again in 9 min" in page
    assert "It arrived" not in page


@pytest.mark.parametrize(("path", "state"), [("arrived", "accepted"), ("send-again", "waiting")])
async def test_doubts_are_settled_together_after_they_are_named(admin, send, path, state):
    ids = [await send(LOST, subject=f"Order {number}") for number in range(2)]
    admin.operations.worker.draining = True  # what waits again is not taken up
    browser = await admin.signed_in(Role.OPERATOR)
    data = [("id", id) for id in ids]
    asked = (await browser.post(f"/unclear/{path}", data=data)).text
    assert "Order 0" in asked
    assert "2 messages" in asked
    await browser.post(f"/unclear/{path}", data=[*data, ("sure", "1")])
    assert [one["state"] for one in await states(admin, *ids)] == [state] * 2
    assert any(" ".join(ids) in line for line in await admin.audit())


async def test_nothing_ticked_changes_nothing(admin):
    browser = await admin.signed_in(Role.OPERATOR)
    await browser.post("/unclear/arrived", data={"sure": "1"})
    assert "Nothing was chosen" in (await browser.get("/unclear")).text


async def test_an_id_that_is_none_is_told_so(admin):
    browser = await admin.signed_in(Role.OPERATOR)
    assert (await browser.post("/queue/cancel", data={"id": "<script>"})).status_code == 400
