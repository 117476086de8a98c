"""What our mailers ask a provider when they send a message of the corpus, and how it differs from what others ask."""

from typing import Any

from secondpost.core.message import Message, split
from secondpost.mailers.base import Parcel
from tests.mailers.beside_anymail import seen
from tests.mailers.beside_anymail.seen import Seen
from tests.mailers.parcels import Crossing, api_mailer, told
from tests.providers.server import Call, Provider

PARTS = ("sender", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "headers", "files")


async def asked(name: str, peer: Provider, message: Any) -> list[Call] | str:
    """The requests by which our mailer sends a message of Django's, or why it refuses."""
    head, body = split(message.message().as_bytes(linesep="\r\n"))
    recipients = tuple(address for _, address in seen.pairs(message.recipients()))
    parcel = Parcel(id=1, message=Message(head, body, None), sender="shop@shop.example", recipients=recipients)
    mailer = api_mailer(name, **peer.settings)
    report = await mailer.send(parcel, Crossing())
    await mailer.close()
    if not (taken := fresh(peer)):
        return f"refuses: {report.outcomes[0].reply}"
    assert set(told(report)) == {"accepted"}
    return taken


def fresh(peer: Provider) -> list[Call]:
    """What the provider took since it was asked last."""
    taken, peer.taken = peer.taken, []
    return taken


def differences(message: Any, one: Seen | str, other: Seen | str) -> dict[str, tuple[Any, Any]]:
    """Part by part; of the header fields those that the message was given."""
    if isinstance(one, str) or isinstance(other, str):
        return {"refused": (one, other)} if not (isinstance(one, str) and isinstance(other, str)) else {}
    names = {name.lower() for name in message.extra_headers}
    for it in (one, other):
        it.headers = {name: value for name, value in it.headers.items() if name in names}
    pairs = {part: (getattr(one, part), getattr(other, part)) for part in PARTS}
    return {part: pair for part, pair in pairs.items() if pair[0] != pair[1]}
