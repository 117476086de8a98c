"""What the configuration knows of mailers: their names and declared settings. They are loaded only when one is used."""

from typing import TYPE_CHECKING

from secondpost.core.connection import Connection

if TYPE_CHECKING:
    from secondpost.mailers.base import Setting

LOCAL = frozenset({"smtp", "sendmail", "capture"})  # reached without a provider's API


def names() -> list[str]:
    from secondpost import mailers

    return sorted(mailers.names())


def apis() -> list[str]:
    """Providers with an API mailer."""
    return [name for name in names() if name not in LOCAL]


def settings(name: str) -> "tuple[Setting, ...]":
    """The settings that a mailer declares. Raises KeyError when there is no such mailer."""
    from secondpost import mailers

    return mailers.find(name).settings


def title(name: str) -> str:
    """What people call the mailer."""
    from secondpost import mailers

    return mailers.find(name).title


def make(connection: Connection) -> None:
    """Let the mailer look at its connection. Raises ConfigError when it cannot work with the settings."""
    from secondpost import mailers

    mailers.find(connection.mailer)(connection)
