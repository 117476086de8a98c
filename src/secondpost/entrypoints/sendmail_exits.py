"""How `secondpost-sendmail` ends: the exit codes of sysexits.h, and the one exception that carries them.

Rule: 0 is for what is durable. 75 (try again) is never used: PHP's `mail()` takes it for success.
"""

OK = 0
USAGE = 64
DATA = 65
NO_USER = 67
UNAVAILABLE = 69
SOFTWARE = 70
CANNOT_CREATE = 73
IO = 74
NO_PERMISSION = 77
CONFIG = 78


class Stop(Exception):
    """The message was not taken. `text` tells the caller why, what it means and what to do."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
