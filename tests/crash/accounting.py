"""The ledger of a crash test: what clients were told, what providers got, what the gateway's log admits.

Rule: an acknowledged message was taken once, or the log says that nobody can know (`unclear`), or that the policy
took the risk
("possible duplicate"). Anything else is a loss or a duplicate without proof.
"""

import smtplib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.gateway import Gateway, new_mark
from tests.provider import Provider, total

TO = "anna@example.com"


class Load:
    """Clients that send without a pause, each on a connection of its own, and remember what was answered."""

    def __init__(self, gateway: Gateway, clients: int = 4) -> None:
        self.gateway = gateway
        self.acknowledged: set[str] = set()
        self.tried: set[str] = set()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(clients)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                with self.gateway.client(5) as session:
                    self._session(session, number)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)  # killed, or not up yet

    def _session(self, session: smtplib.SMTP, number: int) -> None:
        while not self._stop.is_set():
            mark = new_mark()
            self.tried.add(mark)
            body = "line\r\n" * (
                20_000 if number == 0 and hash(mark) % 5 == 0 else 10
            )  # some are large: they live outside the database
            self.gateway.send(
                mark=mark, client=session, body=body, Secondpost_Priority="urgent" if number == 1 else "normal"
            )
            self.acknowledged.add(mark)


@dataclass(slots=True)
class Ledger:
    rounds: int = 0
    tried: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    copies: Counter[str] = field(default_factory=Counter)
    unclear: set[str] = field(default_factory=set)
    doubted: set[str] = field(default_factory=set)  # "possible duplicate"
    unfinished: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)  # acknowledged, and not in the log

    @property
    def lost(self) -> set[str]:
        return {mark for mark in self.acknowledged if not self.copies[mark] and mark not in self.unclear}

    @property
    def duplicated(self) -> set[str]:
        return {mark for mark, count in self.copies.items() if count > 1}

    @property
    def unexplained(self) -> set[str]:
        return self.duplicated - self.doubted - self.unclear

    def check(self) -> None:
        assert self.unknown == set(), "acknowledged, and not even in the log"
        assert self.lost == set(), "acknowledged, and taken by nobody"
        assert self.unexplained == set(), "taken twice, and the log does not say why"
        assert self.unfinished == set(), "stuck"

    def __str__(self) -> str:
        lines = {
            "rounds": self.rounds,
            "submissions begun": len(self.tried),
            "acknowledged": len(self.acknowledged),
            "delivered": sum(1 for mark in self.acknowledged if self.copies[mark]),
            "delivered, not acknowledged": sum(1 for mark in self.copies if mark not in self.acknowledged),
            "unclear": len(self.unclear),
            "possible duplicate": len(self.doubted),
            "duplicated": len(self.duplicated),
            "duplicated without proof": len(self.unexplained),
            "lost": len(self.lost),
        }
        return "\n".join(f"  {name:30}{count:>8}" for name, count in lines.items())


def ledger(gateway: Gateway, load: Load, *providers: Provider, rounds: int) -> Ledger:
    """Close the books: the gateway runs, everybody is well."""
    result = Ledger(rounds=rounds, tried=load.tried, acknowledged=set(load.acknowledged))
    for (mark, _), count in total(*providers).items():
        result.copies[mark] += count
    known = gateway.log()
    result.unknown = load.acknowledged - set(known)
    for mark, row in known.items():
        if row["status"] == "unclear":
            result.unclear.add(mark)
        if row["status"] in {"waiting", "leased", "sending"}:
            result.unfinished.add(mark)
        if result.copies[mark] > 1 and is_marked(gateway, row["id"]):
            result.doubted.add(mark)
    return result


def is_marked(gateway: Gateway, number: str) -> bool:
    """Whether the log owns up to the risk of a second copy."""
    _, entry = gateway.ask("log_show", id=number)
    return any(delivery["possible_duplicate"] for delivery in entry["deliveries"])


def quiet(gateway: Gateway, seconds: float) -> None:
    """Wait until nothing is on its way any more."""
    end = time.monotonic() + seconds
    while (queue := gateway.ask("queue")[1])["waiting"] + queue["sending"]:
        assert time.monotonic() < end, f"still on its way after {seconds} s: {queue}\n{gateway.report()}"
        time.sleep(0.1)
