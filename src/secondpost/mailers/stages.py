"""The stages of signing in, each noted when something has shown how it went.

Rule: a stage is told only from evidence: an address that was found, a line that stood, a handshake, an answer.
"""

import time
from dataclasses import dataclass, field

from secondpost.core.outcome import Phase
from secondpost.mailers.base import Stage

NAMES = {Phase.TLS: "TLS", Phase.GREETING: "Greeting", Phase.LOGIN: "Log-in"}


@dataclass(slots=True)
class Stages:
    """`passed` in their order, each with the time that it took."""

    passed: list[Stage] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def note(self, name: str, text: str, *, ok: bool = True) -> None:
        now = time.monotonic()
        self.passed.append(Stage(name=name, ok=ok, text=text, ms=round((now - self._since) * 1000, 1)))
        self._since = now

    def fail(self, phase: Phase, text: str, *, connecting: str) -> None:
        """The stage that the phase stands for did not work out. `connecting`: which one it was in CONNECT."""
        self.note(NAMES.get(phase, connecting), text, ok=False)
