"""The client's side of one SMTP session, without I/O: bytes in, bytes out, and one outcome for every recipient.

Rule: until `last_bytes` gave out the end of a message it surely was not taken; after that only a reply can tell.
"""

import re
from collections import deque
from dataclasses import replace
from enum import Enum
from typing import Final

from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase
from secondpost.wire.blame import Step, outcome_of
from secondpost.wire.client_content import Blocks
from secondpost.wire.client_envelope import BODY, ENVELOPE, GO, OVER, SENT, Transaction, prepare
from secondpost.wire.client_sign_in import NONE, Account, Command, Extensions, SignInFailed, sign_in
from secondpost.wire.reply import Replies, Reply, provider_id

# RFC 2920 section 3.1: a client must not write so much that the server's replies fill the window the other way.
PIPELINED: Final = 500


# What servers say that check whether a client waits for them, and forget that RFC 2920 allows it not to.
_PUSHED: Final = re.compile("pipelin|synchroni", re.IGNORECASE)


class State(Enum):
    """Where a session stands."""

    SIGNING_IN = "signing in"
    HANDSHAKE = "handshake"  # start TLS, then call `secured`
    READY = "ready"
    OVER = "over"  # begins no more transactions; hang up when the queue is empty


class Client:
    """Drives one session. After each call write `take_output()`."""

    __slots__ = (
        "_dialogue", "_dirty", "_output", "_replies", "carried", "chaining_failed", "encrypted", "ending", "extensions",
        "failure", "log", "polite", "queue", "state",
    )  # fmt: skip

    def __init__(self, account: Account, *, encrypted: bool = False) -> None:
        self.encrypted = encrypted
        self.state = State.SIGNING_IN
        self.extensions: Extensions = NONE
        self.failure: tuple[Outcome, Phase] | None = None  # why signing in failed
        self.ending = ""  # why the session is over
        self.polite = True  # the server waits for a command: QUIT would be understood
        self.carried = 0  # transactions begun
        self.chaining_failed = False  # a chained transaction was lost, or waited too long
        self.queue: deque[Transaction] = deque()  # under way; a second one is chained behind the first one's dot
        self.log: list[bytes | Reply] = []  # the dialogue of signing in, without secrets
        self._replies = Replies()
        self._output: list[bytes] = []
        self._dirty = False  # RSET must come before the next MAIL
        self._dialogue = sign_in(account, encrypted=encrypted)
        next(self._dialogue)

    # ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, data: bytes) -> list[Transaction]:
        """Take what the server said. Returns the transactions that moved: they may go on (GO), or are OVER."""
        moved: list[Transaction] = []
        queue = self.queue
        for reply in self._replies.feed(data):
            if queue:
                self._answer(queue[0], reply, moved)
            elif self.state is State.SIGNING_IN:
                self._sign_in(reply)
            elif self.state is not State.OVER:
                self._break(f"the server says: {reply}", moved)
        if self._replies.error:
            self._break(f"the server broke the protocol: {self._replies.error}", moved)
        elif self.state is State.HANDSHAKE and not self._replies.empty:
            # RFC 3207 section 6, CVE-2011-0411: what came in the clear must not be read as if it came through TLS.
            self._break("the server sent something between its answer to STARTTLS and the handshake", moved)
        return moved

    def take_output(self) -> bytes:
        """What the session itself wants to write now."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def lost(self, reason: str) -> list[Transaction]:
        """The line is gone. Returns the transactions that this ended."""
        moved: list[Transaction] = []
        self._break(reason, moved)
        return moved

    def close(self, reason: str) -> None:
        """Begin nothing more; what is under way may still be answered."""
        self.state = State.OVER
        self.ending = self.ending or reason

    def _break(self, reason: str, moved: list[Transaction]) -> None:
        """Nothing more can be learned from this session."""
        if self.state in {State.SIGNING_IN, State.HANDSHAKE}:
            handshake = self.state is State.HANDSHAKE
            phase = Phase.TLS if handshake else Phase.LOGIN if len(self.log) > 1 else Phase.GREETING
            self.failure = Deferred(Fault.UNREACHABLE, reason), phase
        self.polite = False
        self.close(reason)
        for transaction in self.queue:
            transaction.lost(reason)
            self.chaining_failed |= transaction.chained and transaction.stale
        moved.extend(self.queue)
        self.queue.clear()

    def carry_at_most(self, count: int) -> None:
        """Begin no more than so many transactions, nor more than the server has named."""
        most = min(count, self.extensions.mail_max or count)
        self.extensions = replace(self.extensions, mail_max=most)

    # ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _sign_in(self, reply: Reply) -> None:
        self.log.append(reply)
        try:
            self._say(self._dialogue.send(reply))
        except StopIteration as done:
            self.extensions = done.value
            self.state = State.READY
        except SignInFailed as failed:
            self.failure = failed.outcome, failed.phase
            self.close(failed.outcome.reply)

    def _say(self, command: Command) -> None:
        if command.handshake:
            self.state = State.HANDSHAKE
            return
        self._output.append(command.data)
        self.log.append(command.shown or command.data.rstrip())

    def secured(self) -> None:
        """TLS is up: go on with EHLO, as if nothing had been said."""
        self.encrypted = True
        self.state = State.SIGNING_IN
        self._say(next(self._dialogue))

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def free(self) -> bool:
        """Whether `start` may be called: nothing is under way, or only the answer to a dot.

        RFC 2920 section 3.1 names the content as something that the next group of commands may follow at once.
        """
        if self.state is not State.READY or len(self.queue) > 1:
            return False
        return not self.queue or (self.queue[0].stage == SENT and self.extensions.pipelining)

    def start(self, transaction: Transaction) -> bytes:
        """The bytes that open it. b"": it was over before anything was sent."""
        prepare(transaction, self.extensions)
        if transaction.stage == OVER:
            return b""
        if self._dirty:
            transaction.commands = b"RSET\r\n" + transaction.commands
            transaction.answered = -1
            self._dirty = False
        transaction.reused |= self.carried > 0
        transaction.chained = bool(self.queue)
        transaction.stage = ENVELOPE
        self.queue.append(transaction)
        self.carried += 1
        if self.carried == self.extensions.mail_max:
            self.close("this session carries no more messages")
        if self.extensions.pipelining and len(transaction.targets) <= PIPELINED:
            return transaction.commands
        transaction.unsent = transaction.commands.splitlines(keepends=True)[::-1]
        return transaction.unsent.pop()

    def blocks(self, transaction: Transaction) -> Blocks:
        """What a large message must pass on its way out; its `end` belongs into `transaction.content`."""
        transaction.stage = BODY
        return Blocks(seven_bit=transaction.seven_bit)

    def last_bytes(self, transaction: Transaction) -> bytes:
        """The content with its end, or the end of a large message. This passes the point of no return: write it."""
        transaction.stage = SENT
        transaction.passed = True
        if transaction.chunked:
            return b"BDAT %d LAST\r\n%b" % (len(transaction.content), transaction.content)
        return transaction.content

    def abandon(self, transaction: Transaction, outcome: Outcome) -> None:
        """Give up a transaction before its end. Only dropping the session tells the server (RFC 5321 section 4.1.1.4).

        One that is chained leaves the queue, and the one before it still gets its answer.
        """
        transaction.end(outcome)
        self.polite = False
        self.close("a message was given up")
        if transaction is not self.queue[0]:
            self.queue.remove(transaction)

    def detach(self, transaction: Transaction, reason: str) -> None:
        """Wait no longer for a transaction that is chained behind another, which may take its time."""
        transaction.lost(reason)
        self.chaining_failed = True
        self.polite = False
        self.close(reason)
        self.queue.remove(transaction)

    # ── replies ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, transaction: Transaction, reply: Reply, moved: list[Transaction]) -> None:
        transaction.replies.append(reply)
        if transaction.stage == ENVELOPE:
            self._envelope(transaction, reply, moved)
        elif transaction.stage == SENT and (reply.positive or (reply.code >= 400 and reply.code != 421)):
            _judge(transaction, reply, Step.DOT)
            self._ended(transaction, moved)
        else:  # the end of the session, or an answer to nothing we asked
            self._last_word(transaction, reply, Step.DOT, moved)

    def _envelope(self, transaction: Transaction, reply: Reply, moved: list[Transaction]) -> None:
        at, last = transaction.answered, len(transaction.targets)
        step = Step.MAIL if at <= 0 else Step.RCPT if at <= last else Step.DATA
        good = reply.code == 354 if at > last else reply.positive
        if not good and at <= 0 and transaction.chained and _PUSHED.search(reply.text):
            self._break(f"the server takes no chained messages: {reply}", moved)
            return
        if not good and (reply.code < 400 or reply.code == 421 or at < 0):
            self._last_word(transaction, reply, step, moved)
            return
        transaction.answered = at + 1
        if step is Step.RCPT:
            _recipient(transaction, transaction.targets[at - 1], reply)
        elif not good:
            _judge(transaction, reply, step)
        if at > last or (at == last and transaction.chunked):
            self._answered(transaction, reply, moved)
        elif transaction.unsent:
            self._next(transaction, moved)

    def _last_word(self, transaction: Transaction, reply: Reply, step: Step, moved: list[Transaction]) -> None:
        """The server refuses out of turn, says 421, or is no longer understood: nothing more comes of this session."""
        if reply.code < 400:
            self._break(f"the server broke the protocol with an answer to nothing: {reply}", moved)
            return
        if transaction.answered >= 0:  # else it is RSET that was refused, and that is nobody's fault
            _judge(transaction, reply, step)
        self._break(f"the server ended the session: {reply}", moved)

    def _answered(self, transaction: Transaction, reply: Reply, moved: list[Transaction]) -> None:
        """The envelope is through."""
        if transaction.accepted and (transaction.chunked or reply.code == 354):
            transaction.stage = GO
            moved.append(transaction)
        elif reply.code == 354:
            # They wait for content that nobody is to get. An empty message would end it, and might be taken for one.
            transaction.stage = OVER
            self._break("the server asked for content without a recipient", moved)
        else:
            self._dirty = True
            self._ended(transaction, moved)

    def _next(self, transaction: Transaction, moved: list[Transaction]) -> None:
        """Without PIPELINING: the next command, unless it is pointless."""
        if None in transaction.outcomes:
            self._output.append(transaction.unsent.pop())
        else:
            self._dirty = True
            self._ended(transaction, moved)

    def _ended(self, transaction: Transaction, moved: list[Transaction]) -> None:
        transaction.stage = OVER
        self.queue.popleft()
        moved.append(transaction)


def _recipient(transaction: Transaction, index: int, reply: Reply) -> None:
    if transaction.outcomes[index] is not None:  # MAIL was refused: whatever they say to RCPT now means nothing
        return
    if reply.positive:
        transaction.accepted += 1
    else:
        recipient = transaction.recipients[index]
        transaction.outcomes[index] = outcome_of(reply, Step.RCPT, sender=transaction.sender, recipient=recipient)


def _judge(transaction: Transaction, reply: Reply, step: Step) -> None:
    """One reply for all recipients that are still open."""
    if reply.positive:
        text = str(reply)
        transaction.end(Accepted(text, provider_id(text)))
        return
    alone = transaction.accepted <= 1
    transaction.outcomes = [
        known or outcome_of(reply, step, sender=transaction.sender, recipient=recipient, alone=alone)
        for known, recipient in zip(transaction.outcomes, transaction.recipients, strict=True)
    ]
