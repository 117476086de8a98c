"""What is wrong with a configuration: told all at once, each with its path, where it came from, and what to do.

Rule: a fault never repeats the value of a secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from secondpost.errors import ConfigError


@dataclass(slots=True)
class Faults:
    """Faults found so far, the first one of each path."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, origin: str, text: str) -> None:
        self.texts.setdefault(path, f"{path} ({origin}): {text}")

    def within(self, path: str) -> bool:
        """Whether something at or below the path is wrong."""
        return any(known == path or known.startswith(f"{path}.") for known in self.texts)

    def check(self) -> None:
        """Raise one `ConfigError` that tells all faults, if there are any."""
        lines = list(self.texts.values())
        if len(lines) == 1:
            raise ConfigError(f"The configuration is wrong. {lines[0]}")
        if lines:
            raise ConfigError("\n  ".join([f"The configuration has {len(lines)} faults:", *lines]))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that looks like `word`, or an empty string. Dots and underscores count as the same."""
    folded = {_fold(name): name for name in known}
    close = get_close_matches(_fold(word), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The sentence for a word that is not known: what was meant, or else what there is."""
    names = sorted(known)
    meant = did_you_mean(word, names)
    if meant:
        return f"there is no {what} {clip(word)}; did you mean {meant}?"
    return f"there is no {what} {clip(word)}" + (f"; known: {', '.join(names)}" if names else "")


def clip(value: Any) -> str:
    """A value for a message: quoted, in one line, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…" + text[:1]


def _fold(word: str) -> str:
    return word.casefold().replace(".", "_").replace("-", "_")
