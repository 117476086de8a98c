"""What the gateway noticed: warnings and faults of its own diagnostics, kept where people look for them (Debug Events).

Rule: it is bounded, whoever makes how much noise; and what invites somebody to set the gateway up is not kept.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from secondpost.store.base import Store

MOST = 20  # different ones of one round; the rest is only counted
FROM = tuple(f"secondpost.{part}" for part in ("admin", "entrypoints", "mailers", "service", "store"))
# Their warnings are events already.
TOLD_ELSEWHERE = frozenset({f"secondpost.service.{part}" for part in ("drill", "housekeeping", "trial")})
KINDS = {
    "fault": "Faults", "warning": "Warnings", "breaker": "Breakers", "verify": "Signing in", "drill": "Drills",
    "lapse": "Workers that died", "policy": "Policies", "doubt": "Doubts", "person": "Done by people",
    "resend": "Sent again", "suppression": "Suppressions", "spool": "Spool", "retention": "Content dropped",
}  # fmt: skip


class Handler(logging.Handler):
    """Takes note of records; `keep` writes them down."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.noted: Counter[tuple[str, str, str]] = Counter()  # kind, connection, text

    def emit(self, record: logging.LogRecord) -> None:
        kind = "fault" if record.levelno >= logging.ERROR else "warning"
        if not record.name.startswith(FROM) or (kind == "warning" and record.name in TOLD_ELSEWHERE):
            return
        error = record.exc_info[1] if record.exc_info else None
        why = f" ({type(error).__name__})" if error is not None else ""
        reference = getattr(record, "reference", "")
        at = f" [reference {reference}]" if reference else ""
        noted = (kind, str(getattr(record, "connection", "")), f"{record.getMessage()}{why}{at}"[:500])
        if noted in self.noted or len(self.noted) < MOST:
            self.noted[noted] += 1
        else:
            self.noted["warning", "", "There was more to notice; the diagnostics on standard error have all of it."] = 1


@dataclass(slots=True)
class Noticed:
    store: Store
    now: Callable[[], datetime]
    handler: Handler = field(default_factory=Handler)

    def start(self) -> None:
        logging.getLogger("secondpost").addHandler(self.handler)

    def stop(self) -> None:
        logging.getLogger("secondpost").removeHandler(self.handler)

    async def keep(self) -> None:
        """Housekeeping: write down what was noticed since the last round."""
        noted, self.handler.noted = self.handler.noted, Counter()
        for (kind, connection, text), times in noted.items():
            told = f"{text} ({times} times)" if times > 1 else text
            await self.store.event(kind, at=self.now(), connection=connection, text=told)
