"""`secondpost-sendmail -bp`, or `mailq`: what lies in the spool until the gateway runs."""

import os
import sys

from secondpost.entrypoints import sendmail_exits as exits
from secondpost.entrypoints import spool_file
from secondpost.entrypoints.sendmail_exits import Stop
from secondpost.entrypoints.sendmail_places import Places


def show(places: Places) -> int:
    """Only what the caller may read is told in full."""
    try:
        names = sorted(name for name in os.listdir(places.spool or "/nowhere") if name.endswith(spool_file.WHOLE))
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise Stop(exits.NO_PERMISSION, f"the spool {places.spool} cannot be read: {error.strerror}.") from None
    for name in names:
        sys.stdout.write(f"{name.removesuffix(spool_file.WHOLE)}  {_line(f'{places.spool}/{name}')}\n")
    count = f"{len(names)} in the spool" if names else "The spool is empty"
    sys.stdout.write(f"{count}. What the gateway has taken is shown by: secondpost queue\n")
    return exits.OK


def _line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            envelope, _ = spool_file.read_head(file.read(spool_file.HEAD_LIMIT))
    except OSError:
        return "somebody else's"
    except ValueError:
        return "not a spooled message"
    text = f"{envelope.size} bytes  {envelope.sender or '<>'} → {', '.join(envelope.recipients)}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
