"""One sentence that tells the truth about the mail: which way it leaves now, and what would happen if that failed.

Rule: it never sounds better than it is. Good: mail leaves, and a backup is ready. Open: mail leaves or is kept as was
asked, and something should be looked at. Bad: nothing leaves that should.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Health(StrEnum):
    """How a connection is now."""

    WELL = "well"
    SHAKY = "shaky"  # its last attempt failed; it is still tried first
    TRIAL = "trial"  # it was down, and carries one message at a time until one is taken
    DRILL = "drill"  # it refuses on purpose what another connection can take (the Fallback Drill)
    PAUSED = "paused"  # its provider asked us to wait
    DOWN = "down"
    OFF = "off"  # switched off by a person


CARRIES = frozenset({Health.WELL, Health.SHAKY, Health.TRIAL, Health.DRILL})


class Tone(StrEnum):
    GOOD = "good"
    OPEN = "open"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A connection in its role. `at`: since when it is down, when it failed, or until when it is paused or drilled."""

    title: str
    health: Health
    at: datetime | None = None
    keeps: bool = False  # it is an Inbox: it keeps mail and sends none
    ready: bool | None = None  # whether signing in worked when it was last tried; None: nobody has
    checked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    primary: Way | None
    backup: Way | None
    rescued: int = 0  # sent by the backup since the primary failed
    waiting: int = 0
    routed: bool = False  # Smart Routing may send some mail another way
    do_not_send: bool = False
    suspended: bool = False  # results cannot be written down


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in a sentence: of the clock, or how long ago."""

    at: datetime
    ago: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    tone: Tone
    parts: tuple[str | Moment, ...]

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.at.isoformat() for part in self.parts)


def sentence(now: Situation) -> Sentence:
    """The first thing that has to be known."""
    if now.suspended:
        text = "Sending is paused: results cannot be written to the disk. Nothing is lost; make room on it."
        return Sentence(Tone.BAD, (text + _waiting(now),))
    if now.do_not_send:
        return Sentence(Tone.OPEN, ("Do Not Send is switched on: mail is kept in the log, and none is sent.",))
    if now.primary is None:
        return Sentence(Tone.BAD, ("There is no connection: nothing can be sent." + _waiting(now),))
    if now.primary.health is Health.WELL:
        return _well(now, now.primary)
    return _failing(now, now.primary)


def _well(now: Situation, primary: Way) -> Sentence:
    all_mail = "Mail that no route moves" if now.routed else "All mail"
    if primary.keeps:
        return Sentence(Tone.OPEN, (f"{all_mail} is kept in the {primary.title}, and none of it is sent.",))
    if primary.ready is False and primary.checked is not None:
        then = f"goes out by {now.backup.title}" if now.backup and now.backup.health in CARRIES else "waits"
        failed = (f"Signing in to {primary.title} failed ", Moment(primary.checked, ago=True))
        return Sentence(Tone.OPEN, (*failed, f". While that goes on, mail {then}."))
    tone, about = _backup(now.backup)
    return Sentence(tone, (f"{all_mail} leaves by {primary.title}.", *about))


def _backup(backup: Way | None) -> tuple[Tone, tuple[str | Moment, ...]]:
    """What the backup would do, while it is not needed."""
    if backup is None:
        return Tone.OPEN, (" There is no Backup Connection: if it fails, mail waits.",)
    if backup.health not in CARRIES:
        return Tone.OPEN, (f" The Backup Connection {backup.title} ", *_ails(backup), ".")
    if backup.ready is None or backup.checked is None:
        return Tone.OPEN, (f" The Backup Connection {backup.title} was never checked.",)
    checked = Moment(backup.checked, ago=True)
    if not backup.ready:
        return Tone.OPEN, (f" The Backup Connection {backup.title} is not ready: signing in failed ", checked, ".")
    return Tone.GOOD, (f" Backup {backup.title} checked ", checked, ".")


def _failing(now: Situation, primary: Way) -> Sentence:
    backup = now.backup
    begin: tuple[str | Moment, ...] = (f"{primary.title} ", *_ails(primary))
    if backup is not None and backup.health in CARRIES:
        return Sentence(Tone.OPEN, (*begin, f"; {_rescued(now.rescued, backup)} {backup.title}."))
    if primary.health in CARRIES:
        rest = "it takes what nobody else can" if primary.health is Health.DRILL else "what it does not take waits"
        return Sentence(Tone.OPEN, (*begin, f"; {rest}." + _waiting(now)))
    if backup is None:
        return Sentence(Tone.BAD, (*begin, ", and there is no Backup Connection." + _waiting(now)))
    return Sentence(Tone.BAD, (*begin, f", and {backup.title} ", *_ails(backup), ": nothing leaves." + _waiting(now)))


def _ails(way: Way) -> tuple[str | Moment, ...]:
    match way.health:
        case Health.OFF:
            return ("is switched off",)
        case Health.PAUSED if way.at is not None:
            return ("was asked by its provider to pause until ", Moment(way.at))
        case Health.DRILL if way.at is not None:
            return ("refuses mail on purpose until ", Moment(way.at), " (Fallback Drill)")
        case Health.SHAKY if way.at is not None:
            return ("failed ", Moment(way.at, ago=True))
        case Health.TRIAL if way.at is not None:
            return ("was down from ", Moment(way.at), " and is on trial, one message at a time")
        case _ if way.at is not None:
            return (f"is {way.health.value} since ", Moment(way.at))
        case _:
            return ("is on trial" if way.health is Health.TRIAL else f"is {way.health.value}",)


def _waiting(now: Situation) -> str:
    if not now.waiting:
        return ""
    if now.waiting == 1:
        return " 1 message waits, and goes out by itself once it can."
    return f" {now.waiting:,} messages wait, and go out by themselves once they can."


def _rescued(count: int, backup: Way) -> str:
    if not count:
        return "mail is kept in the" if backup.keeps else "mail goes out by"
    if backup.keeps:
        return "1 message was kept in the" if count == 1 else f"{count:,} messages were kept in the"
    return "1 message went out by" if count == 1 else f"{count:,} messages went out by"
