"""The outbox at work: added to in the caller's transaction, relayed by the worker.

Rule: a row goes only when a durable queue, the worker's own or a gateway's, has said that it has the message. Each is
handed over with a key of its own, so that a worker that is killed in between hands nothing over twice.
"""

import logging

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from secondpost import blocking
from secondpost.contrib.django.letter import Letter
from secondpost.core.message import id_text
from secondpost.core.priority import Priority
from secondpost.errors import Refusal
from secondpost.library import parts, result
from secondpost.library.result import Recipient, Result

TYPE_CHECKING = False  # the model can be imported only where the app is installed
if TYPE_CHECKING:
    from secondpost.contrib.django.models import Outgoing

logger = logging.getLogger(__name__)

BATCH = 100


def add(letter: Letter, database: str) -> Result:
    """A row, by Django's own connection: it is committed with the caller's transaction, or not at all."""
    if not apps.is_installed("secondpost.contrib.django"):
        raise ImproperlyConfigured(
            "The mode outbox keeps mail in a table: add secondpost.contrib.django to INSTALLED_APPS, and migrate."
        )
    from secondpost.contrib.django.models import Outgoing

    draft = parts.ready(
        letter.message, sender=letter.sender, to=letter.to, priority=letter.priority, tags=letter.tags,
        metadata=letter.metadata, key=letter.key,
    )  # fmt: skip
    Outgoing.objects.using(database).create(
        id=draft.id, urgency=Priority.NORMAL if draft.priority is None else draft.priority, sender=draft.sender,
        recipients=list(draft.recipients), content=draft.content, priority=letter.priority, tags=list(letter.tags),
        metadata=dict(letter.metadata or {}), key=draft.key,
    )  # fmt: skip
    return result.told(id_text(draft.id), [Recipient(address=to, state="queued") for to in draft.recipients])


def relay(post: blocking.Post, database: str) -> tuple[int, bool]:
    """Hand over what waits, urgent first: how many were, and whether the way was free until the end."""
    from secondpost.contrib.django.models import Outgoing

    rows = Outgoing.objects.using(database).filter(refusal="").order_by("urgency", "id")[:BATCH]
    done = 0
    for row in rows:
        try:
            said = _hand(row, post)
        except Refusal as error:
            logger.error("message %s in the outbox is refused, and stays there: %s", id_text(row.id), error)
            Outgoing.objects.using(database).filter(id=row.id).update(refusal=str(error))
            continue
        if said.state in {"deferred", "unclear"}:
            logger.warning("the outbox must wait: %s", next(iter(said.recipients.values())).reply)
            return done, False
        Outgoing.objects.using(database).filter(id=row.id).delete()
        done += 1
    return done, True


def _hand(row: "Outgoing", post: blocking.Post) -> Result:
    return post.send(
        bytes(row.content), to=row.recipients, from_email=row.sender, priority=row.priority, tags=row.tags,
        metadata=row.metadata, key=row.key or f"outbox-{id_text(row.id)}",
    )  # fmt: skip
