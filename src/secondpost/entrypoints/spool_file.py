"""A message in the spool: mail handed in while the gateway did not run, one file each, readable as it lies there.

Rule: `put` returns when file and folder are synced. A name that ends in .mail is a whole message.
"""

import os
import time

BEGIN = b"secondpost-spool 1\n"
WHOLE = ".mail"
UNFINISHED = ".new"
HEAD_LIMIT = 1 << 20  # of the envelope
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NotASpoolFile(ValueError):
    """What is wrong with it."""


class Envelope:
    """`asked`: the gateway was asked over TCP and did not answer, so it may have the message from nobody it knows."""

    __slots__ = ("asked", "recipients", "sender", "size")

    def __init__(self, sender: str, recipients: list[str], size: int, *, asked: bool = False) -> None:
        self.sender, self.recipients, self.size, self.asked = sender, recipients, size, asked


def put(folder: str, envelope: Envelope, content: bytes) -> None:
    """Raises `OSError`; then nothing is left behind."""
    base = f"{folder}/{time.time_ns():020d}-{os.urandom(6).hex()}"
    try:
        _write(base + UNFINISHED, head_of(envelope), content, os.stat(folder).st_gid)
        os.rename(base + UNFINISHED, base + WHOLE)
        _sync(folder)
    except BaseException:
        for end in (UNFINISHED, WHOLE):
            try:
                os.unlink(base + end)
            except OSError:
                pass
        raise


def _write(path: str, head: bytes, content: bytes, group: int) -> None:
    number = os.open(path, _FLAGS, 0o640)
    try:
        if os.geteuid() == 0:  # root writes into any folder, and its own group means nothing to the gateway
            os.fchown(number, -1, group)
        os.fchmod(number, 0o640)  # whatever the caller's umask: the gateway reads it by its group
        for part in (head, content):
            left = memoryview(part)
            while left:
                left = left[os.write(number, left) :]
        os.fsync(number)
    finally:
        os.close(number)


def _sync(folder: str) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def head_of(envelope: Envelope) -> bytes:
    """The lines before the message."""
    lines = [f"from: <{envelope.sender}>", *[f"to: <{recipient}>" for recipient in envelope.recipients]]
    lines += [f"size: {envelope.size}", *["asked: tcp"] * envelope.asked, "", ""]
    return BEGIN + "\n".join(lines).encode()


def read_head(data: bytes) -> tuple[Envelope, int]:
    """The envelope that stands at the beginning of `data`, and where the message begins. Raises `NotASpoolFile`."""
    end = data.find(b"\n\n", 0, HEAD_LIMIT)
    if not data.startswith(BEGIN) or end < 0:
        raise NotASpoolFile("it does not begin as a spooled message does")
    try:
        lines = [line.partition(": ") for line in data[len(BEGIN) : end].decode().split("\n")]
        values = {name: value for name, _, value in lines}
        recipients = [_address(value) for name, _, value in lines if name == "to"]
        envelope = Envelope(_address(values["from"]), recipients, int(values["size"]), asked="asked" in values)
    except (KeyError, ValueError):
        raise NotASpoolFile("its envelope cannot be read") from None
    return envelope, end + 2


def _address(value: str) -> str:
    if not (value.startswith("<") and value.endswith(">")):
        raise ValueError(value)
    return value[1:-1]
