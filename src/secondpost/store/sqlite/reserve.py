"""Room on the disk that is kept back, so that results can still be written down when the disk is full.

Rule: while the reserve is not whole, no new mail is taken: sent but not recorded is how duplicates are made.
"""

import os
import time
from pathlib import Path

SIZE = 8 * 2**20
RETRY = 1.0  # seconds between looks at a full disk


class Reserve:
    """A file of real blocks. `give` frees them, `restore` takes them again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = 0.0
        self.whole = False

    def restore(self) -> bool:
        """Have the room kept back. False: the disk is still full."""
        if self.whole:
            return True
        now = time.monotonic()
        if now - self._looked < RETRY:
            return False
        self._looked = now
        try:
            self._take()
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        self.whole = True
        return True

    def _take(self) -> None:
        number = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(number, 0, SIZE)
            os.fsync(number)
        finally:
            os.close(number)

    def give(self) -> None:
        """Free the room for what must be written now."""
        self.whole = False
        self._looked = time.monotonic()
        self._path.unlink(missing_ok=True)
