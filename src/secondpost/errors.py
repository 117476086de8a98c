"""Every error that a caller of Secondpost can meet: what happened, what it means for the mail, and what to do.

SecondpostError
├── ConfigError            a setting is unknown, missing or wrong
├── WrongInput             what a person gave cannot be taken (names the field)
├── ContentNotKept         the content of a message has been dropped; its entry in the log stays
├── Refusal                a submission was refused; nothing was stored (carries the SMTP codes)
│   ├── Malformed              parts of the message are wrong; names every one of them
│   ├── TooMany                the client has submitted as many as it may for now; says when to come back
│   └── IdempotencyConflict    the key was used with other content
├── HookRefused            a webhook is not from the provider, or is an old one again; nothing was believed
├── HookUnproven           a webhook could not be checked now; it is to come again
├── NotAccepted            nobody took the message for some recipient (carries the result)
└── StoreError
    ├── StoreUnavailable   busy or full: nothing was written, try again
    ├── StoreInUse         another daemon owns the store
    ├── StoreNewer         the database was written by a newer version
    ├── StoreCorrupt       the database failed its check
    └── KeyProblem         the key file is missing, wrong or readable by others
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from secondpost.library.result import Result


class SecondpostError(Exception):
    """The root of all errors that Secondpost raises on purpose. Task queues and pools of processes pickle them."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[SecondpostError], told: tuple[Any, ...], facts: dict[str, Any]) -> SecondpostError:
    """An error from another process, as it was there."""
    error = kind.__new__(kind, *told)
    error.__dict__.update(facts)
    return error


class ConfigError(SecondpostError):
    """A setting is unknown, missing or wrong."""


class WrongInput(SecondpostError):
    """What a person gave cannot be taken, and nothing was changed. `field` names the place."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class ContentNotKept(SecondpostError):
    """The content of a message has been dropped; its entry in the log stays."""


class Refusal(SecondpostError):
    """A submission was refused and nothing was stored. `code` and `status` are the SMTP reply and RFC 3463 code."""

    def __init__(self, code: int, status: str, text: str, field: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.text = text
        self.field = field


class Fault(NamedTuple):
    """What is wrong with one part of a message."""

    field: str
    text: str
    code: int = 550
    status: str = "5.6.0"


class Malformed(Refusal):
    """Parts of a message are wrong; `faults` names every one of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        text = " ".join([*[fault.text for fault in faults], "Nothing was stored."])
        super().__init__(first.code, first.status, text, first.field)
        self.faults = tuple(faults)


class TooMany(Refusal):
    """The client has submitted as many messages as it may; from `retry_after` on it may submit again."""

    def __init__(self, text: str, retry_after: timedelta) -> None:
        super().__init__(451, "4.7.1", text)
        self.retry_after = retry_after


class IdempotencyConflict(Refusal):
    """The idempotency key was used before with other content."""

    def __init__(self, key: str) -> None:
        super().__init__(
            550,
            "5.7.1",
            f"The idempotency key {key!r} was used before with other content. "
            "Nothing was stored; use a new key for a new message.",
            "idempotency_key",
        )


class HookRefused(SecondpostError):
    """A webhook is not signed by the provider, or is an old one that comes again. Nothing in it was believed."""


class HookUnproven(SecondpostError):
    """What is needed to check a webhook could not be had now. Nothing in it was believed; it is to come again."""


class NotAccepted(SecondpostError):
    """Nobody took the message for some recipient, and nobody will. `result` says who did what."""

    def __init__(self, text: str, result: "Result") -> None:
        super().__init__(text)
        self.result = result


class StoreError(SecondpostError):
    """The store cannot do what it was asked. By itself: whether a write was done is not known."""


class StoreUnavailable(StoreError):
    """The store is busy or full. Nothing was written by this call."""


class StoreInUse(StoreError):
    """Another process works this database."""


class StoreNewer(StoreError):
    """The database was written by a newer version of Secondpost."""


class StoreCorrupt(StoreError):
    """The database failed its integrity check."""


class KeyProblem(StoreError):
    """The key file is missing, wrong, or readable by others."""
