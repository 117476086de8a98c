"""What the gateway tells on standard error: lines for a person at a terminal, JSON for everything else.

Rule: both escape control characters, so that nothing from a message or a provider can forge a line.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_ITS_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def keep(level: str) -> None:
    """Log everything from `level` on to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(ForPeople() if sys.stderr.isatty() else ForPrograms())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class ForPeople(logging.Formatter):
    """`12:00:00 warning  what happened  connection=primary`, and a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone()
        extras = "".join(f"  {name}={_printable(value)}" for name, value in _extras(record).items())
        line = f"{time:%H:%M:%S} {record.levelname.lower():8} {_printable(record.getMessage())}{extras}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class ForPrograms(logging.Formatter):
    """`{"timestamp": …, "level": …, "event": …, …}`, all ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": _printable(record.getMessage()),
            **{name: _printable(value) for name, value in _extras(record).items()},
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _ITS_OWN}


def _printable(value: Any) -> Any:
    return value.encode("unicode_escape").decode() if isinstance(value, str) and not value.isprintable() else value
