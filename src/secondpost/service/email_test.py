"""The Email Test: one message by one connection and no other, or on its way like a real one; and how it went.

Rule: a test by one connection is tried once. Whatever comes of it, it neither falls back nor is tried again by itself.
"""

from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.core.connection import Connection
from secondpost.core.delivery import Move
from secondpost.core.outcome import Accepted
from secondpost.errors import SecondpostError
from secondpost.mailers.base import Report
from secondpost.service import compose
from secondpost.service.connections import Connections
from secondpost.service.diagnosis import diagnose
from secondpost.service.submit import Draft, Submit, lease_of
from secondpost.store.base import Submission


async def send(
    connections: Connections, submit: Submit, to: str, *, connection: str = "", plain: bool, like_real: bool
) -> dict[str, Any]:
    """By that connection, or by the primary; `like_real`: by the route of its kind, with fallback."""
    chosen = connections.known(connection or connections.desk.primary)
    parts = words(to, plain=plain, connection=chosen.title)
    draft = compose.draft(submit.new_id(), sender=sender_of(chosen, submit), to=[to], tag="test", **parts)
    if like_real:
        receipt = await submit(draft)
        return {"ok": True, "id": rfc5322.id_text(receipt.id), "queued": True}
    return await _carry(connections, submit, replace(draft, connection=chosen.name), chosen)


async def _carry(connections: Connections, submit: Submit, draft: Draft, connection: Connection) -> dict[str, Any]:
    worker, begun = connections.worker, connections.now()
    submission = replace(prepared(submit, draft), worker=worker.name)
    receipt = await connections.store.accept(submission)
    stored = connections.now()
    report = await worker.try_once(lease_of(submission, trace=True), connection.name)
    ended = connections.now()
    await connections.store.move(receipt.id, None, Move.CANCEL, now=ended, due=None, reason="a test is tried once")
    return {
        **_told(report, connection),
        "id": rfc5322.id_text(receipt.id),
        "stages": [{"name": "on disk", "ms": _ms(begun, stored)}, {"name": "carried", "ms": _ms(stored, ended)}],
    }


def _told(report: Report, connection: Connection) -> dict[str, Any]:
    outcome = report.outcomes[0]
    ok = isinstance(outcome, Accepted)
    return {
        "ok": ok,
        "outcome": type(outcome).__name__.lower(),
        "phase": report.phase.value,
        "reply": outcome.reply,
        "diagnosis": None if ok else diagnose(outcome, report.phase, connection),
        "transcript": report.transcript,
    }


def _ms(begun: datetime, ended: datetime) -> float:
    return round((ended - begun).total_seconds() * 1000, 1)


def sender_of(connection: Connection, submit: Submit) -> str:
    """Whom test messages by a connection are from: its own address, or one of this machine."""
    return connection.sender.email or f"secondpost@{submit.hostname}"


def prepared(submit: Submit, draft: Draft) -> Submission:
    """A test message as it would be stored. Raises `SecondpostError` when its recipient must not be written to."""
    submission = submit.prepare(draft)
    for recipient, why in submission.withheld.items():
        raise SecondpostError(f"{recipient} is not written to ({why}). Nothing was sent.")
    return submission


def words(to: str, *, plain: bool, connection: str) -> dict[str, Any]:
    """Subject and parts of a test message, as the tutorial words them."""
    text = (
        "Congratulations!\n\nThis message was sent by Secondpost as a test"
        f" of the connection {connection}. If you read it, the connection works.\n"
    )
    if plain:
        return {"subject": f"Secondpost: Test email to {to}", "text": text}
    html = (
        '<!doctype html><html><body style="margin:0;background:#f4f5f7;font-family:system-ui,sans-serif;color:#1c2430">'
        '<div style="max-width:36rem;margin:2rem auto;padding:2rem;background:#fff;border-radius:12px">'
        '<h1 style="font-size:1.4rem;margin:0 0 1rem">Congratulations!</h1>'
        "<p>This message was sent by Secondpost as a test of the connection "
        f"<strong>{escape(connection, quote=False)}</strong>.</p>"
        "<p>If you read it, the connection works.</p></div></body></html>"
    )
    return {"subject": f"Secondpost: HTML Test email to {to}", "text": text, "html": html}
