"""The Inbox: keeps mail instead of sending it. For development, staging and demonstrations.

Rule: nothing leaves. The kept copy is the log's stored content, so there is nothing to carry.
"""

from typing import ClassVar

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Phase
from secondpost.mailers.base import Abilities, Crossing, Parcel, Report, Setting, Verdict

KEPT = Accepted("kept in the Inbox")
NOT_GIVEN = Deferred(Fault.LOCAL, "given up before the point of no return")


class Capture:
    """Accepts everything."""

    name: ClassVar[str] = "capture"
    title: ClassVar[str] = "Inbox"
    settings: ClassVar[tuple[Setting, ...]] = ()
    can: ClassVar[Abilities] = Abilities()

    def __init__(self, connection: Connection) -> None:
        self._sessions = connection.limits.sessions

    @property
    def capacity(self) -> int:
        return self._sessions * 10  # it waits for the store only

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        granted = await crossing.take()
        outcome = KEPT if granted else NOT_GIVEN
        phase = Phase.POINT if granted else Phase.ENVELOPE
        return Report(outcomes=(outcome,) * len(parcel.recipients), phase=phase, abandoned=not granted)

    async def verify(self) -> Verdict:
        return Verdict(outcome=Accepted("mail is kept in the Inbox and never sent"), phase=Phase.LOGIN)

    async def close(self) -> None:
        """Nothing is open."""
