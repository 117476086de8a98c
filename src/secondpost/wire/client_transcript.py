"""What was said, as text for people: made only when somebody will read it.

Rule: no secret, no content, no control character, at most 16 KiB.
"""

from collections.abc import Iterator, Sequence

from secondpost.wire.client_envelope import Transaction
from secondpost.wire.reply import Reply, printable

LIMIT = 16 * 1024


def render(
    log: Sequence[bytes | Reply], transaction: Transaction | None, secrets: Sequence[str], ending: str = ""
) -> str:
    """The dialogue of signing in, then that of `transaction`, then how it ended."""
    lines = [line for item in log for line in _lines(item)]
    if transaction is not None:
        lines += _transaction(transaction)
    if ending:
        lines.append(f"-- {ending}")
    text = "\n".join(lines)
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "****")
    if len(text) > LIMIT:
        text = f"{text[: LIMIT // 2 - 20]}\n[…]\n{text[-LIMIT // 2 + 20 :]}"
    return text


def _lines(item: bytes | Reply) -> Iterator[str]:
    if isinstance(item, bytes):
        if item:
            yield f"C: {printable(item)}"
        return
    for line in item.lines[:-1]:
        yield f"S: {item.code}-{printable(line)}"
    yield f"S: {item.code} {printable(item.lines[-1])}"


def _transaction(transaction: Transaction) -> Iterator[str]:
    """Each command with its answer, although with PIPELINING they left together."""
    if transaction.reused:
        yield "-- the session was kept from before"
    replies = iter(transaction.replies)
    unsent = len(transaction.unsent)
    commands = transaction.commands.splitlines()
    for command in commands[: len(commands) - unsent]:
        yield from _lines(command)
        if reply := next(replies, None):
            yield from _lines(reply)
    if transaction.passed:
        yield f"C: <{transaction.message.size} bytes of message>"
    for reply in replies:
        yield from _lines(reply)
