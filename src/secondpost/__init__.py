"""Email delivery that survives its provider. The public names; each is loaded when it is first used."""

TYPE_CHECKING = False  # type checkers know the name; importing it would cost secondpost-sendmail half its start
if TYPE_CHECKING:
    from secondpost.errors import ConfigError, IdempotencyConflict, Malformed, NotAccepted, Refusal, SecondpostError
    from secondpost.library.opening import open  # noqa: A004  # secondpost.open
    from secondpost.library.post import Post
    from secondpost.library.result import Attempt, Recipient, Result
    from secondpost.logs import LogHandler

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "ConfigError",
    "IdempotencyConflict",
    "LogHandler",
    "Malformed",
    "NotAccepted",
    "Post",
    "Recipient",
    "Refusal",
    "Result",
    "SecondpostError",
    "__version__",
    "open",
]

_ERRORS = ("ConfigError", "IdempotencyConflict", "Malformed", "NotAccepted", "Refusal", "SecondpostError")
_HOMES = {
    **dict.fromkeys(_ERRORS, "secondpost.errors"),
    "LogHandler": "secondpost.logs",
    "Post": "secondpost.library.post",
    "open": "secondpost.library.opening",
    **dict.fromkeys(("Attempt", "Recipient", "Result"), "secondpost.library.result"),
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in ("blocking", "testing"):
        return import_module(f"secondpost.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'secondpost' has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    return found
