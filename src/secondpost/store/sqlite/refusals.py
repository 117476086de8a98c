"""Messages that were refused while their commit hung: a file without content for each, beside the database.

Rule: a note outlives the process as soon as it is made. It waits for no disk, since the disk is what hangs.
"""

from collections.abc import Iterable
from pathlib import Path


class Refusals:
    """`add` notes, ask for `all`, `drop` what has been seen to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, messages: Iterable[int]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for message in messages:
            (self._folder / str(message)).touch(mode=0o600)

    def all(self) -> list[int]:
        return sorted(int(note.name) for note in self._folder.glob("[0-9]*"))

    def drop(self, message: int) -> None:
        (self._folder / str(message)).unlink(missing_ok=True)
