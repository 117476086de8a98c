"""Every provider with an HTTP API: facts and pure functions, made into a mailer.

Rule: the provider's own functions are never trusted with the message's fate: one that fails judges nothing, and then
the phase does.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar

from secondpost.core.connection import Connection
from secondpost.core.event import Event
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.errors import HookUnproven
from secondpost.mailers.api import Api, Request, Response, by_status
from secondpost.mailers.base import Abilities, Crossing, Hook, Parcel, Report, Setting, Sought, Verdict
from secondpost.mailers.fits import misfit
from secondpost.mailers.http_line import Answer, Line
from secondpost.mailers.parts import Letter, content_of, letters

logger = logging.getLogger(__name__)
T = TypeVar("T")

LARGE: Final = 64 * 1024  # bytes from which on a message is taken apart in a thread
GOING_ON: Final = {Fault.RECIPIENT, Fault.MESSAGE}  # what says nothing about the next request


@functools.cache
def mailer(api: "type[Api]", shell: "type[HttpMailer]") -> "type[HttpMailer]":
    """The mailer that a provider's facts and functions make."""
    facts = {"name": api.name, "title": api.title, "settings": api.settings, "can": api.can, "api": api()}
    return type(api.__name__, (shell,), facts)


class Once:
    """A right to cross that is taken once, however many requests an attempt has."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._given: bool | None = None

    def prepare(self) -> None:
        if self._given is None:
            self._crossing.prepare()

    async def take(self) -> bool:
        if self._given is None:
            self._given = await self._crossing.take()
        return self._given


class HttpMailer:
    """A connection to a provider's API."""

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    can: ClassVar[Abilities]
    api: ClassVar[Api]

    def __init__(self, connection: Connection) -> None:
        self._values = {setting.name: setting.default for setting in self.settings} | dict(connection.settings)
        self.api.check(self._values)
        self._line = self._new_line(connection)
        self._capacity = connection.limits.sessions
        self._learned: dict[str, str] = {}
        self._learning = asyncio.Lock()

    def _new_line(self, connection: Connection) -> Line:
        secrets = [str(self._values[setting.name]) for setting in self.settings if setting.kind == "secret"]
        return Line(
            host=str(self._values.get("host") or ""), private=bool(self._values.get("private_addresses")),
            timeouts=connection.timeouts, secrets=tuple(secret for secret in secrets if len(secret) > 3),
        )  # fmt: skip

    @property
    def capacity(self) -> int:
        return self._capacity

    async def close(self) -> None:
        await self._line.close()

    # Sending -------------------------------------------------------------------------------------------------------

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        """One request or several, one after another; what stops one stops those behind it."""
        once, outcomes, transcripts, phase = Once(crossing), dict[str, Outcome](), list[str](), Phase.ENVELOPE
        try:
            content = await _apart(content_of, parcel.message, size=parcel.message.size)
        except OSError as error:
            return _same(parcel, Deferred(Fault.LOCAL, f"the message could not be read back: {error}"), phase)
        for letter in letters(parcel, content, self.can):
            outcome, answer = await self._send(letter, once)
            outcomes |= zip(letter.recipients, outcome, strict=True)
            if answer is None:
                continue
            phase = answer.phase
            transcripts.append(answer.transcript)
            if answer.abandoned:
                return Report(outcomes=(outcome[0],) * len(parcel.recipients), phase=phase, abandoned=True)
            last = outcome[-1]
            if getattr(last, "fault", Fault.MESSAGE) not in GOING_ON:
                outcomes = dict.fromkeys(parcel.recipients, last) | outcomes
                break
        told = tuple(outcomes[recipient] for recipient in parcel.recipients)
        wanted = parcel.trace or not all(isinstance(outcome, Accepted) for outcome in told)
        return Report(outcomes=told, phase=phase, transcript="\n\n".join(transcripts) if wanted else "")

    async def _send(self, letter: Letter, crossing: Crossing) -> tuple[Sequence[Outcome], Answer | None]:
        refused = await _apart(misfit, letter, self.title, size=len(letter.content))
        if refused is not None:
            return [refused] * len(letter.recipients), None
        if (unknown := await self._learn()) is not None:
            assert unknown.outcome is not None
            return [unknown.outcome] * len(letter.recipients), unknown
        request = await _apart(self.api.request, letter, self._values | self._learned, size=len(letter.content))
        answer = await self._ask(request, crossing)
        if answer.response is None:
            assert answer.outcome is not None
            return [answer.outcome] * len(letter.recipients), answer
        return self._judged(answer.response, letter), answer

    async def _learn(self) -> Answer | None:
        """Ask once for the setting that the provider tells by itself; why it is not known, where it is not."""
        name = self.api.learns
        if not name or self._values[name]:
            return None
        async with self._learning:
            if name in self._learned:
                return None
            verdict = await self.verify()
            if not isinstance(verdict.outcome, Accepted):
                return Answer(phase=verdict.phase, outcome=verdict.outcome, transcript=verdict.transcript)
            self._learned[name] = (verdict.details or {})[name]
        return None

    async def _ask(self, request: Request, crossing: Crossing | None = None) -> Answer:
        return await self._line.ask(await self.api.sign(request, self._values, datetime.now(UTC)), crossing)

    def _judged(self, response: Response, letter: Letter) -> Sequence[Outcome]:
        """The provider's own reading of the answer; without one, its status says enough."""
        unreadable = response.ok and (not response.whole or (bool(response.body) and response.json() is None))
        if unreadable:
            text = response.reply("the answer cannot be read, but its status is a success")
            return [Unclear(text) if self.api.body_tells else Accepted(text)] * len(letter.recipients)
        try:
            outcome = self.api.outcome(response, letter)
        except Exception:
            logger.exception("an answer of %s could not be judged by a fault of our own", self.title)
            outcome = Unclear(response.reply()) if response.ok and self.api.body_tells else by_status(response)
        return spread(outcome, letter.recipients)

    # Asking --------------------------------------------------------------------------------------------------------

    async def verify(self) -> Verdict:
        answer = await self._ask(self.api.verify(self._values))
        if answer.response is None:
            assert answer.outcome is not None
            return Verdict(
                outcome=answer.outcome, phase=answer.phase, stages=tuple(answer.stages.passed),
                transcript=answer.transcript,
            )  # fmt: skip
        try:
            outcome, details = self.api.verified(answer.response)
        except Exception:
            logger.exception("an answer of %s could not be read by a fault of our own", self.title)
            outcome, details = by_status(answer.response), {}
        if isinstance(outcome, Unclear):  # nothing was sent: there is nothing to doubt
            outcome = Deferred(Fault.UNREACHABLE, outcome.reply)
        ok = isinstance(outcome, Accepted)
        answer.stages.note("Log-in", f"{self.title} knows the key" if ok else outcome.reply, ok=ok)
        return Verdict(
            outcome=outcome, phase=answer.phase, stages=tuple(answer.stages.passed), transcript=answer.transcript,
            details={**answer.details, **details},
        )  # fmt: skip

    async def look(self, sought: Sought) -> Mapping[str, str] | None:
        """Recipients for whom they surely have it; None when there was no answer that can be read."""
        answer = await self._ask(self.api.lookup(sought, self._values))
        if answer.response is None or not answer.response.ok or not answer.response.whole:
            return None
        try:
            return self.api.found(answer.response, sought)
        except Exception:
            logger.exception("a look-up at %s could not be read by a fault of our own", self.title)
            return None

    async def hear(self, hook: Hook, now: datetime) -> list[Event]:
        """What a webhook tells. It may take a request to check it, and another to answer it."""
        if (request := self.api.proof(hook, self._values)) is not None:
            hook = replace(hook, proof=await self._fetched(request))
        events = self.events(hook, now)
        if (request := self.api.answer(hook, self._values)) is not None:
            await self._fetched(request)
        return events

    async def _fetched(self, request: Request) -> bytes:
        """What stands there, asked for without our key. Raises HookUnproven."""
        answer = await self._line.ask(request)
        if answer.response is None or not (answer.response.ok and answer.response.whole):
            raise HookUnproven("What the webhook needs could not be fetched from the provider. Come again.")
        return answer.response.body

    def events(self, hook: Hook, now: datetime) -> list[Event]:
        return self.api.events(hook, self._values, now)


def spread(outcome: Outcome | Sequence[Outcome], recipients: Sequence[str]) -> Sequence[Outcome]:
    """One outcome for each recipient. A refusal about one of several is the fault of those whom it names alone."""
    if isinstance(outcome, Sequence):
        return outcome
    if not (isinstance(outcome, Rejected) and outcome.fault is Fault.RECIPIENT and len(recipients) > 1):
        return [outcome] * len(recipients)
    said = outcome.reply.casefold()
    others = Deferred(Fault.PROVIDER, outcome.reply)  # none was taken, and only those named are to blame
    return [outcome if recipient.casefold() in said else others for recipient in recipients]


def _same(parcel: Parcel, outcome: Outcome, phase: Phase) -> Report:
    return Report(outcomes=(outcome,) * len(parcel.recipients), phase=phase)


async def _apart(function: Callable[..., T], *arguments: Any, size: int) -> T:
    """What takes long with a large message is done in a thread."""
    return await asyncio.to_thread(function, *arguments) if size > LARGE else function(*arguments)
