"""Queue: what waits, why, and when it is tried next. Unclear: what a provider may have, or not, on what evidence.

Rule: what cannot be undone is asked by name first, and what a person decides is recorded.
"""

from starlette.responses import Response

from secondpost.admin import bulk
from secondpost.admin.bulk import Deed
from secondpost.admin.story import PHASES
from secondpost.admin.visit import Visit

TRY_NOW = Deed("Try now", "It is due now, and goes as soon as a connection of its route can take it.", "made due now")
CANCEL = Deed(
    "Cancel", "What has not left yet is never sent. This cannot be undone; it can be sent again from the log.",
    "cancelled", danger=True,
)  # fmt: skip
ARRIVED = Deed(
    "It arrived", "You have seen that the recipient has it. It counts as sent, and is not sent again.",
    "settled as arrived",
)  # fmt: skip
SEND_AGAIN = Deed(
    "Send again", "It is sent once more. If the first copy did arrive, the recipient gets two.",
    "sent again", danger=True,
)  # fmt: skip


async def queue(visit: Visit) -> Response:
    found = await visit.operations.queue_waiting(visit.query("before") or None)
    whole = await visit.operations.queue()
    groups = [group for group in whole["groups"] if group["state"] == "waiting"]
    return visit.render("queue.html", found=found, whole=whole, groups=groups, titles=visit.titles)


async def try_now(visit: Visit) -> Response:
    return await bulk.carry_out(visit, TRY_NOW, visit.operations.messages_try_now, back="/queue")


async def cancel(visit: Visit) -> Response:
    return await bulk.carry_out(visit, CANCEL, visit.operations.messages_cancel, back="/queue")


async def unclear(visit: Visit) -> Response:
    found = await visit.operations.queue_unclear(visit.query("before") or None)
    return visit.render("unclear.html", found=found, titles=visit.titles, phases=PHASES)


async def arrived(visit: Visit) -> Response:
    settle = visit.operations.messages_settle
    return await bulk.carry_out(visit, ARRIVED, lambda id: settle(id, "arrived"), back="/unclear")


async def send_again(visit: Visit) -> Response:
    settle = visit.operations.messages_settle
    return await bulk.carry_out(visit, SEND_AGAIN, lambda id: settle(id, "send_again"), back="/unclear")


PAGES = {
    "GET /queue": queue,
    "POST /queue/try-now": try_now,
    "POST /queue/cancel": cancel,
    "GET /unclear": unclear,
    "POST /unclear/arrived": arrived,
    "POST /unclear/send-again": send_again,
}
