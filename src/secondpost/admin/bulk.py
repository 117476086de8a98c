"""Doing one thing to many messages: asked once by name, then done to each.

Rule: one message's refusal does not stop the others, and is told.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from secondpost.admin.templating import count
from secondpost.admin.visit import Visit
from secondpost.errors import SecondpostError

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Deed:
    """What can be done: the button, what it means, what is said and recorded once it is done."""

    button: str
    means: str
    done: str
    danger: bool = False


async def carry_out(visit: Visit, deed: Deed, operation: Callable[[str], Awaitable[object]], *, back: str) -> Response:
    """Ask whether it is meant, or do it."""
    form = await visit.form()
    ids = list(dict.fromkeys(form.get("id", [])))
    if not ids:
        return visit.go(back, "Nothing was chosen, and nothing was changed. Tick what you mean first.", good=False)
    if not form.checked("sure"):
        chosen = [await visit.operations.log_show(id) for id in ids[:SHOWN]]
        title = f"{deed.button}: {count(len(ids), 'message')}"
        return visit.render("bulk.html", deed=deed, title=title, ids=ids, chosen=chosen, back=back)
    done, refusals = [], []
    for id in ids:
        try:
            await operation(id)
            done.append(id)
        except SecondpostError as error:
            refusals.append(str(error))
    if done:
        await visit.record(f"{deed.done}: {' '.join(done)}")
    told = " ".join([f"{count(len(done), 'message')} {deed.done}.", *refusals[:3]])
    return visit.go(back, told, good=not refusals)
