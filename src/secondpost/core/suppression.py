"""Suppression: addresses that must not be written to, each with a reason.

Rule: a recipient is found whatever its case; what is withheld is recorded with its reason, never dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from secondpost.core.event import Event, Kind


class Reason(StrEnum):
    """Why an address is suppressed (Anymail's reject reasons, as far as they last)."""

    INVALID = "invalid"  # there is no such mailbox
    BOUNCED = "bounced"  # a hard bounce
    SPAM = "spam"  # the person complained
    UNSUBSCRIBED = "unsubscribed"
    MANUAL = "manual"  # a person of ours put it here


@dataclass(frozen=True, slots=True)
class List:
    """All suppressed addresses, by `key`. Empty is false, so that mail pays nothing when there is none."""

    entries: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def reason(self, address: str) -> str:
        """Why an address is suppressed; empty when it is not."""
        return self.entries.get(key(address), "")


def key(address: str) -> str:
    """The address for comparing. Case is ignored in all of it: providers tell of addresses in another case than ours,
    and who complained must not be written to again because an app spells the name otherwise."""
    return address.lower()


def following(event: Event) -> Reason | None:
    """Whether an event puts its recipient on the list, and why. A bounce does only if it will not pass."""
    match event.kind:
        case Kind.BOUNCED if event.permanent:
            return Reason.INVALID if event.reason == "invalid" else Reason.BOUNCED
        case Kind.COMPLAINED:
            return Reason.SPAM
        case Kind.UNSUBSCRIBED:
            return Reason.UNSUBSCRIBED
        case _:
            return None
