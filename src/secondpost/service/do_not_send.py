"""Do Not Send: mail is kept in the log and none is sent, but email tests by a connection of one's choice.

Rule: what the configuration says wins; else what people chose is in force from the next message on.
"""

from dataclasses import dataclass

from secondpost.errors import SecondpostError
from secondpost.service.desk import Desk
from secondpost.store.base import Store

KIND, NAME = "misc", "do_not_send"
BUILT_IN = "built-in"  # where a setting comes from that nothing sets


@dataclass(slots=True)
class DoNotSend:
    """`origin`: where the configuration sets it; empty when it does not."""

    store: Store
    desk: Desk
    origin: str = ""

    @property
    def on(self) -> bool:
        return self.desk.do_not_send

    async def load(self) -> None:
        if not self.origin:
            self.desk.do_not_send = bool(await self.store.get(KIND, NAME))

    async def set(self, *, on: bool) -> None:
        if self.origin:
            raise SecondpostError(f"Do Not Send is set by {self.origin}: change it there. Nothing was changed.")
        await self.store.put(KIND, NAME, on)
        self.desk.do_not_send = on
