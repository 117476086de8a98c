"""Email Log: send again, one message to recipients of one's choice or many as they were; delete what is finished.

Rule: what is sent again is a new message that links to the first, and a form that is sent twice makes one; what cannot
be undone is confirmed by its name.
"""

import secrets

from starlette.responses import Response

from secondpost.admin.chosen import Chosen
from secondpost.admin.visit import Visit
from secondpost.core import address
from secondpost.errors import Refusal, SecondpostError

REFRESH = "2"  # seconds: the progress of a job is looked at again, without script


async def ask(visit: Visit) -> Response:
    entry = await visit.operations.log_show(visit.path("id"))
    return visit.render("log_resend.html", entry=entry, to="\n".join(entry["to"]), error="", once=secrets.token_hex(8))


async def resend(visit: Visit) -> Response:
    form = await visit.form()
    id, to, once = visit.path("id"), form.raw("to"), form.text("once")
    try:
        new = await visit.operations.messages_resend(id, _recipients(to), key=f"form {once} {id}" if once else "")
    except (Refusal, SecondpostError) as error:
        entry = await visit.operations.log_show(id)
        return visit.render(
            "log_resend.html", status=422, entry=entry, to=to, error=str(error), once=secrets.token_hex(8)
        )
    await visit.record(f"sent message {id} again as {new['id']}")
    return visit.go(f"/log/{new['id']}", "It is on its way again, as this new message.")


def _recipients(text: str) -> list[str]:
    """One a line, or with commas. Raises `SecondpostError` that names each that is wrong."""
    found = [one.strip() for line in text.splitlines() for one in line.split(",") if one.strip()]
    wrong = [one for one in found if not _is_address(one)]
    if wrong:
        raise SecondpostError(f"These are no addresses: {', '.join(wrong)}. Nothing was sent.")
    if not found:
        raise SecondpostError("There is no recipient: name at least one. Nothing was sent.")
    return list(dict.fromkeys(found))


def _is_address(text: str) -> bool:
    try:
        address.parse(text)
    except address.AddressError:
        return False
    return True


async def resend_many(visit: Visit) -> Response:
    form, chosen = await visit.form(), await Chosen.read(visit)
    if len(chosen.ids) == 1 and not chosen.everything:
        return visit.go(f"/log/{chosen.ids[0]}/resend")
    messages = await chosen.messages(visit)
    if not form.checked("confirmed"):
        return _confirm(visit, chosen, messages, "resend")
    name = await visit.operations.jobs.begin(visit.me.email, messages, once=form.text("once"))
    await visit.record(f"began to send {len(messages)} messages again (job {name})")
    return visit.go(f"/log/jobs/{name}")


def _confirm(visit: Visit, chosen: Chosen, messages: list[str], do: str) -> Response:
    once = secrets.token_hex(8)
    return visit.render("log_confirm.html", chosen=chosen, count=len(messages), do=do, once=once)


async def progress(visit: Visit) -> Response:
    job = await visit.operations.jobs.show(visit.path("name"))
    response = visit.render("log_job.html", job=job, total=len(job["messages"]))
    if job["ended"] is None:
        response.headers["Refresh"] = REFRESH
    return response


async def delete(visit: Visit) -> Response:
    form, chosen = await visit.form(), await Chosen.read(visit)
    messages = await chosen.messages(visit)
    if not form.checked("confirmed"):
        return _confirm(visit, chosen, messages, "delete")
    done = await visit.operations.log_delete(messages)
    await visit.record(f"deleted {len(done['deleted'])} messages of the log: {', '.join(done['deleted'][:40])}")
    left = f" {len(done['left'])} stay: they are not finished." if done["left"] else ""
    return visit.go(chosen.filters.url(), f"Deleted for good: {len(done['deleted'])}.{left}")


PAGES = {
    "POST /log/resend": resend_many,
    "GET /log/jobs/{name}": progress,
    "POST /log/delete": delete,
    "GET /log/{id}/resend": ask,
    "POST /log/{id}/resend": resend,
}
