"""The Fallback Drill: a connection fails on purpose, so that everybody sees that the backup carries mail.

Rule: a drill leaves no message without a way – a connection refuses only what another of its route can take now – and
what it refuses on purpose tells nothing of the connection itself.
"""

import asyncio
import logging
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from secondpost.core import event
from secondpost.core import message as rfc5322
from secondpost.core.delivery import OPEN, State
from secondpost.core.outcome import ON_PURPOSE, Deferred, Fault
from secondpost.errors import SecondpostError, WrongInput
from secondpost.mailers.base import Report
from secondpost.service import attempt, compose, email_test
from secondpost.service.connections import Connections
from secondpost.service.line import Errand, Line
from secondpost.service.present import iso
from secondpost.service.submit import Draft, Submit
from secondpost.store.base import Store
from secondpost.store.log import LogEntry

logger = logging.getLogger(__name__)

KIND = "drill"  # what came of each drill, by the time it began
PLAN = "drill plan"  # the drill of real mail under way, and the schedule
KEPT = 50  # results
LONGEST = 60  # minutes that real mail may be refused on purpose
PATIENCE = timedelta(seconds=30)  # that a test message gets to end
REFUSED = Deferred(Fault.UNREACHABLE, ON_PURPOSE)
EVENTS = frozenset(event.Kind)
REST = frozenset(State) - OPEN | {State.UNCLEAR}  # nothing more happens by itself, or not soon


@dataclass(slots=True, kw_only=True)
class Real:
    """A drill of real mail: this connection refuses all of it until then."""

    connection: str
    begun: datetime
    until: datetime
    refused: int = 0

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"begun": iso(self.begun), "until": iso(self.until)}


@dataclass(slots=True)
class Drills:
    store: Store
    connections: Connections
    submit: Submit
    real: Real | None = None
    _tests: dict[int, str] = field(default_factory=dict)  # test messages under way, and who refuses them

    @property
    def now(self) -> datetime:
        return self.submit.now()

    async def load(self) -> None:
        """Take part in the work, and take up the drill that a process before us began."""
        self.connections.worker.drill = self.refusal
        kept = await self.store.get(PLAN, "now")
        if kept is not None:
            begun, until = datetime.fromisoformat(kept["begun"]), datetime.fromisoformat(kept["until"])
            self.real = Real(connection=kept["connection"], begun=begun, until=until, refused=kept["refused"])

    def refusal(self, errand: Errand, line: Line) -> Report | None:
        """What the connection answers on purpose; None: it does its work."""
        real, now = self.real, self.now
        is_real = real is not None and real.connection == line.name and real.begun <= now < real.until
        if not is_real and self._tests.get(errand.lease.id) != line.name:
            return None
        if not self.connections.worker.ways.open_to(errand, now, but=line.name):
            return None  # it is the only way
        if is_real and real is not None:
            real.refused += 1
        report = attempt.same(errand.lease, REFUSED)
        report.on_purpose = True
        return report

    # One test message ----------------------------------------------------------------------------------------------

    async def test(self, to: str, connection: str = "") -> dict[str, Any]:
        """Send a test message like a real one, which that connection refuses, and tell the way it took."""
        name = self._with_backup(connection)
        draft = self._draft(to, name)
        email_test.prepared(self.submit, draft)  # raises for whom nobody may write to
        self._tests[draft.id] = name
        try:
            await self.submit(draft)
            entry = await self._ended(draft.id)
        finally:
            del self._tests[draft.id]
        result = way(entry, name, self.connections.titles()) | {"to": to}
        await self._keep(result)
        return result

    def _with_backup(self, connection: str) -> str:
        """The connection's name. Raises `SecondpostError` when nothing would take over from it."""
        chosen = self.connections.known(connection or self.connections.desk.primary)
        if len(self.connections.desk.route(chosen.name)) < 2:
            raise SecondpostError(
                f"Nothing would take over from {self._title(chosen.name)}: choose a Backup Connection first. "
                "Nothing was sent."
            )
        return chosen.name

    def _title(self, name: str) -> str:
        return self.connections.titles().get(name, name)

    def _draft(self, to: str, name: str) -> Draft:
        sender = email_test.sender_of(self.connections.known(name), self.submit)
        text = (
            "This is a Fallback Drill. The first connection refused this message on purpose, and the next one "
            "carried it. If you read it, your backup works.\n"
        )
        subject = f"Secondpost: Fallback Drill to {to}"
        draft = compose.draft(self.submit.new_id(), sender=sender, to=[to], subject=subject, text=text, tag="drill")
        return replace(draft, prefer=name)

    async def _ended(self, message: int) -> LogEntry:
        """The message once nothing more happens with it, or as it is after a while."""
        until = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
        while True:
            entry = await self.store.entry(message)
            assert entry is not None  # it was accepted just now
            over = REST.issuperset(entry.row.states)
            if over or asyncio.get_running_loop().time() > until:
                return entry
            await asyncio.sleep(0.05)

    # Real mail -----------------------------------------------------------------------------------------------------

    async def begin(self, minutes: int, connection: str = "") -> dict[str, Any]:
        """Let a connection refuse all mail on purpose for some minutes. It ends by itself, also after a restart."""
        if type(minutes) is not int or not 1 <= minutes <= LONGEST:
            raise WrongInput("minutes", f"Give a whole number of minutes from 1 to {LONGEST}.")
        if self.real is not None:
            raise SecondpostError("A drill of real mail is under way. End it first.")
        name, now = self._with_backup(connection), self.now
        real = Real(connection=name, begun=now, until=now + timedelta(minutes=minutes))
        await self.store.put(PLAN, "now", real.plain())
        self.real = real
        await self._tell(f"{name} refuses real mail on purpose for {minutes} min", name)
        return real.plain()

    async def end(self) -> dict[str, Any] | None:
        """End the drill of real mail, if there is one, and keep what came of it."""
        real, self.real = self.real, None
        if real is None:
            return None
        await self.store.delete(PLAN, "now")
        messages = "1 message" if real.refused == 1 else f"{real.refused} messages"
        text = f"{self._title(real.connection)} refused {messages} on purpose; each took another way."
        result: dict[str, Any] = {
            "kind": "real", "connection": real.connection, "at": iso(real.begun), "ended": iso(self.now), "ok": None,
            "refused": real.refused, "text": text, "steps": [],
        }  # fmt: skip
        await self._keep(result)
        return result

    # By itself -----------------------------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Housekeeping: end what is over, write the count down, and drill by the schedule."""
        if self.real is not None:
            if self.real.until <= self.now:
                await self.end()
            else:
                await self.store.put(PLAN, "now", self.real.plain())
            return
        plan = await self.schedule()
        if plan is not None and datetime.fromisoformat(plan["next"]) <= self.now:
            await self._scheduled(plan)

    async def _scheduled(self, plan: dict[str, Any]) -> None:
        await self._put_plan(plan["days"], plan["to"])  # the next one first: what fails is not tried without end
        try:
            await self.test(plan["to"])
        except SecondpostError as error:
            logger.warning("the scheduled drill did not take place: %s", error)
            await self._tell(f"the scheduled drill did not take place: {error}", "")

    async def schedule(self) -> dict[str, Any] | None:
        """How many days between two drills, to whom, and when next; None: only when somebody asks."""
        found: dict[str, Any] | None = await self.store.get(PLAN, "schedule")
        return found

    async def plan(self, days: int, to: str) -> None:
        """Drill by itself every so many days; 0: only when somebody asks."""
        if type(days) is not int or not 0 <= days <= 365:
            raise WrongInput("days", "Give a whole number of days from 1 to 365, or 0 for none.")
        if not days:
            await self.store.delete(PLAN, "schedule")
            return
        self._draft(to, self._with_backup(""))  # raises for what is no address
        await self._put_plan(days, to)

    async def _put_plan(self, days: int, to: str) -> None:
        at = self.now + timedelta(days=days)
        await self.store.put(PLAN, "schedule", {"days": days, "to": to, "next": iso(at)})

    # What came of them ---------------------------------------------------------------------------------------------

    async def _keep(self, result: dict[str, Any]) -> None:
        await self.store.put(KIND, result["at"], result)
        await self._tell(result["text"], result["connection"])
        for old in sorted(await self.store.all(KIND))[:-KEPT]:
            await self.store.delete(KIND, old)

    async def _tell(self, text: str, connection: str) -> None:
        await self.store.event("drill", at=self.now, connection=connection, text=text)

    async def results(self) -> list[dict[str, Any]]:
        """What came of the drills of before, newest first."""
        kept = await self.store.all(KIND)
        return [kept[at] for at in sorted(kept, reverse=True)]

    async def told(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        """What the provider has told of a drill's message since, and how many seconds after it was accepted."""
        entry = await self.store.entry(rfc5322.parse_id(result["id"])) if "id" in result else None
        if entry is None:
            return []
        return [
            {"kind": one["kind"], "seconds": round((one["at"] - entry.row.accepted).total_seconds())}
            for one in entry.events
            if one["kind"] in EVENTS
        ]

    async def proved(self) -> dict[str, Any] | None:
        """The last drill in which a backup carried the message."""
        return next((one for one in await self.results() if one["ok"]), None)


def way(entry: LogEntry, drilled: str, titles: dict[str, str]) -> dict[str, Any]:
    """The way that a drill's message took, as it is kept."""
    steps = [_step(one, titles) for one in entry.attempts]
    ends = [one["ended"] for one, step in zip(entry.attempts, steps, strict=True) if step["kind"] == "accepted"]
    took = next((step for step in steps if step["kind"] == "accepted"), None)
    ok = took is not None and took["connection"] != drilled and any(step["on_purpose"] for step in steps)
    return {
        "kind": "test", "id": rfc5322.id_text(entry.row.id), "connection": drilled, "at": iso(entry.row.accepted),
        "ok": ok, "carried": took["connection"] if took else None, "steps": steps,
        "ms": _ms(entry.row.accepted, ends[0]) if ends else None,
        "text": _sentence(steps, took is not None, ok),
    }  # fmt: skip


def _step(one: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    outcome = one["outcomes"][0] if one["outcomes"] else {"kind": "under way", "reply": ""}
    reply = outcome.get("reply") or ""
    return {
        "connection": one["connection"], "title": titles.get(one["connection"], one["connection"]),
        "kind": outcome["kind"], "reply": reply, "on_purpose": reply == REFUSED.reply,
        "ms": _ms(one["started"], one["ended"]) if one["ended"] else None,
    }  # fmt: skip


def _ms(begun: datetime, ended: datetime) -> int:
    return max(round((ended - begun).total_seconds() * 1000), 0)


def _sentence(steps: list[dict[str, Any]], taken: bool, ok: bool) -> str:
    told = " → ".join(
        f"{step['title']} refused (drill)" if step["on_purpose"]
        else f"{step['title']} accepted in {step['ms']} ms" if step["kind"] == "accepted"
        else f"{step['title']}: {step['kind']}"
        for step in steps
    )  # fmt: skip
    if ok:
        return told
    if not taken:
        return f"{told or 'Nobody could be tried'}: nobody has taken it yet. The log says what becomes of it."
    return f"{told}: the drill could not let it fail, since no other connection could take it."
