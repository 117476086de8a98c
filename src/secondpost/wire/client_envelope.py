"""One message on its way through one session: what is said for it, and what was answered for each recipient.

Rule: whatever can be known to fail is refused here, before a byte is sent.
"""

from collections.abc import Sequence
from typing import Final

from secondpost.core.message import Message
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.wire.client_content import EIGHT_BIT, Unsendable, path, whole
from secondpost.wire.client_sign_in import Extensions
from secondpost.wire.reply import Reply

# Stages. Plain numbers, since they are compared several times per message.
NEW: Final = 0
ENVELOPE: Final = 1  # MAIL, RCPT, DATA are out; replies are awaited
GO: Final = 2  # somebody there takes it: the content may follow
BODY: Final = 3  # a large message is leaving, its end is not
SENT: Final = 4  # past the point of no return
OVER: Final = 5  # every recipient has its outcome


class Transaction:
    """What one session knows of one message. `outcomes` has None for a recipient that is still open."""

    __slots__ = (
        "accepted", "answered", "chained", "chunked", "commands", "content", "large", "message", "outcomes", "passed",
        "recipients", "replies", "reused", "sender", "seven_bit", "stage", "stale", "targets", "unsent",
    )  # fmt: skip

    def __init__(self, message: Message, sender: str, recipients: Sequence[str]) -> None:
        self.message = message
        self.sender = sender
        self.recipients = recipients
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.large = message.tail is not None
        self.stage = NEW
        self.passed = False  # its last byte was given out
        self.reused = False  # the session was kept, and may have died unnoticed
        self.chained = False  # its envelope left behind the dot of another one
        self.stale = False  # the session ended before anybody judged this one: try a fresh session
        self.chunked = False  # BDAT (RFC 3030) instead of DATA
        self.seven_bit = False
        self.commands = b""
        self.unsent: list[bytes] = []  # without PIPELINING: the commands to come, last first
        self.targets: list[int] = []  # recipients named on the wire, as indexes
        self.answered = 0  # commands of the envelope; -1: RSET goes before them
        self.accepted = 0  # recipients they said yes to
        self.replies: list[Reply] = []
        self.content = b""

    def end(self, outcome: Outcome) -> None:
        """The same outcome for all who are still open."""
        self.outcomes = [known or outcome for known in self.outcomes]
        self.stage = OVER

    def lost(self, reason: str) -> None:
        """The session ended under it."""
        if self.stage == SENT:
            self.end(Unclear(f"{reason}, before it had answered to the message: it may have it or not"))
        elif self.stage != OVER:
            self.stale = self.answered <= 0 and self.reused
            self.end(Deferred(Fault.UNREACHABLE, f"{reason}, before the message was sent"))

    @property
    def phase(self) -> Phase:
        """How far it got."""
        if self.passed:
            return Phase.POINT
        return Phase.BODY if self.replies and self.replies[-1].code == 354 else Phase.ENVELOPE


def prepare(transaction: Transaction, can: Extensions) -> None:
    """Write its commands and its content for a session that `can` do this, or end it."""
    size = transaction.message.size
    if can.size and size > can.size:
        transaction.end(_unsupported(f"The message has {size} bytes, and this server takes at most {can.size}."))
        return
    try:
        eight_bit = _content(transaction, can)
        _commands(transaction, can, f" SIZE={size}" if can.size is not None else "", eight_bit=eight_bit)
    except Unsendable as refusal:
        transaction.end(refusal.outcome)


def _content(transaction: Transaction, can: Extensions) -> bool:
    """Whether BODY=8BITMIME must be said."""
    message = transaction.message
    if transaction.large:
        transaction.seven_bit = not can.eight_bit
        return can.eight_bit
    transaction.chunked = can.chunking
    transaction.content = content = whole(message.head, message.body, stuffed=not can.chunking)
    if content.isascii():
        return False
    if not can.eight_bit:
        raise Unsendable(_unsupported(EIGHT_BIT))
    return True


def _commands(transaction: Transaction, can: Extensions, parameters: str, *, eight_bit: bool) -> None:
    sender = path(transaction.sender) if transaction.sender else ""
    if sender is None or not (sender.isascii() or can.utf8):
        raise Unsendable(_refused(transaction.sender, sender, Fault.MESSAGE))
    ascii_only = sender.isascii()
    commands = [""]
    for index, address in enumerate(transaction.recipients):
        recipient = path(address)
        if recipient is None or not (recipient.isascii() or can.utf8):
            transaction.outcomes[index] = _refused(address, recipient, Fault.RECIPIENT)
            continue
        ascii_only = ascii_only and recipient.isascii()
        transaction.targets.append(index)
        commands.append(f"RCPT TO:<{recipient}>\r\n")
    if not transaction.targets:
        transaction.stage = OVER
        return
    if eight_bit:
        parameters += " BODY=8BITMIME"
    if not ascii_only:
        parameters += " SMTPUTF8"
    commands[0] = f"MAIL FROM:<{sender}>{parameters}\r\n"
    if not transaction.chunked:
        commands.append("DATA\r\n")
    transaction.commands = "".join(commands).encode()


def _refused(address: str, named: str | None, fault: Fault) -> Rejected:
    if named is None:
        return Rejected(fault, f"{address[:320]!r} is not an e-mail address.")
    return _unsupported(f"The address {address} needs SMTPUTF8, which this server does not offer.")


def _unsupported(text: str) -> Rejected:
    return Rejected(Fault.MESSAGE, text, unsupported=True)
