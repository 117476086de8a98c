"""The sendmail program of this machine, as Postfix, Exim, msmtp and others install it.

Rule: never through a shell, and its end of the input is the point of no return: until then it has half a message.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import ClassVar, Final

from secondpost.core.connection import Connection
from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.mailers import dkim
from secondpost.mailers.base import Abilities, Crossing, Parcel, Report, Setting, Verdict
from secondpost.wire.blame import Step, outcome_of
from secondpost.wire.client_content import path
from secondpost.wire.reply import Reply, printable

SEARCH: Final = os.pathsep.join(("/usr/sbin", "/usr/lib", "/usr/local/sbin"))
NOT_GIVEN: Final = Deferred(Fault.LOCAL, "given up before the point of no return")
OUTPUT_LIMIT: Final = 4096

# sysexits.h. What is not here is trouble of the program.
EXITS: Final[dict[int, Outcome]] = {
    0: Accepted("sendmail took the message"),
    64: Rejected(Fault.PROVIDER, "sendmail does not know our arguments (EX_USAGE)"),
    65: Rejected(Fault.MESSAGE, "sendmail refused the message (EX_DATAERR)"),
    67: Rejected(Fault.RECIPIENT, "sendmail says: no such user (EX_NOUSER)"),
    68: Rejected(Fault.RECIPIENT, "sendmail says: no such host (EX_NOHOST)"),
    69: Deferred(Fault.PROVIDER, "sendmail says: service unavailable (EX_UNAVAILABLE)"),
    75: Deferred(Fault.PROVIDER, "sendmail says: try again later (EX_TEMPFAIL)"),
    76: Unclear("sendmail lost its own server in mid-sentence (EX_PROTOCOL)"),
    77: Deferred(Fault.ACCOUNT, "sendmail says: not permitted (EX_NOPERM)"),
    78: Deferred(Fault.ACCOUNT, "sendmail is not configured (EX_CONFIG)"),
}
_SERVER_SAID: Final = re.compile(r"server message: ([2-5]\d\d)[ -](.*)")  # msmtp; its exit codes say less


class Sendmail:
    """The local sendmail program."""

    name: ClassVar[str] = "sendmail"
    title: ClassVar[str] = "Local sendmail program"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(name="program", label="Path of the program", help="Empty: sendmail, wherever this machine has it."),
        *dkim.SETTINGS,
    )
    can: ClassVar[Abilities] = Abilities(max_recipients=100)  # they are arguments, whose length the system limits

    def __init__(self, connection: Connection) -> None:
        self._path = str(connection.settings.get("program") or "")
        self._timeouts = connection.timeouts
        self._capacity = connection.limits.sessions
        self._signer = dkim.signer(connection.settings)

    @property
    def capacity(self) -> int:
        return self._capacity

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        if self._signer is not None:
            parcel, refusal = await self._signer.sign(parcel)
            if refusal is not None:
                return refusal
        program = self._program()
        if program is None or not os.access(program, os.X_OK):
            return _all(parcel, self._missing(), Phase.CONNECT)
        addresses = [path(recipient) for recipient in parcel.recipients]
        sender = path(parcel.sender) if parcel.sender else "<>"
        if sender is None or None in addresses or any(str(a).startswith("-") for a in (sender, *addresses)):
            return _all(parcel, Rejected(Fault.MESSAGE, "an address cannot be handed to a program"), Phase.ENVELOPE)
        try:
            run = await asyncio.create_subprocess_exec(
                program, "-i", "-f", sender, "--", *map(str, addresses),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            outcome = Deferred(Fault.UNREACHABLE, f"{program} cannot be started: {error.strerror}")
            return _all(parcel, outcome, Phase.CONNECT)
        try:
            return await self._feed(run, parcel, crossing)
        finally:
            await _reap(run)

    async def _feed(self, run: asyncio.subprocess.Process, parcel: Parcel, crossing: Crossing) -> Report:
        assert run.stdin is not None
        source = _unix(parcel.message)
        try:
            while (block := await asyncio.to_thread(next, source, None)) is not None:  # it may read from the disk
                run.stdin.write(block)
                await asyncio.wait_for(run.stdin.drain(), self._timeouts.data_block.total_seconds())
        except TimeoutError:
            return _all(parcel, Deferred(Fault.PROVIDER, "sendmail does not read its input"), Phase.BODY)
        except (BrokenPipeError, ConnectionResetError):
            return await self._ended(run, parcel, closed=False)
        if run.returncode is not None:
            return await self._ended(run, parcel, closed=False)
        if not await crossing.take():
            return Report(outcomes=(NOT_GIVEN,) * len(parcel.recipients), phase=Phase.BODY, abandoned=True)
        run.stdin.close()
        return await self._ended(run, parcel, closed=True)

    async def _ended(self, run: asyncio.subprocess.Process, parcel: Parcel, *, closed: bool) -> Report:
        """What its end means. `closed`: it had the whole message."""
        phase = Phase.POINT if closed else Phase.BODY
        assert run.stderr is not None
        try:
            async with asyncio.timeout(self._timeouts.data_reply.total_seconds()):
                said = printable(await run.stderr.read(OUTPUT_LIMIT)).strip()
                code = await run.wait()
        except TimeoutError:
            late = Unclear("sendmail did not end in time") if closed else Deferred(Fault.PROVIDER, "sendmail hangs")
            return _all(parcel, late, phase)
        outcome = outcome_of_exit(code, said, closed=closed, alone=len(parcel.recipients) == 1)
        wanted = parcel.trace or not isinstance(outcome, Accepted)
        return _all(parcel, outcome, phase, f"sendmail ended with {code}\n{said}".strip() if wanted else "")

    async def verify(self) -> Verdict:
        program = self._program()
        if program is None or not os.access(program, os.X_OK):
            return Verdict(outcome=self._missing(), phase=Phase.CONNECT)
        return Verdict(outcome=Accepted(f"{program} can be started"), phase=Phase.LOGIN, details={"program": program})

    async def close(self) -> None:
        """Each message has its own process."""

    def _program(self) -> str | None:
        return self._path or shutil.which("sendmail") or shutil.which("sendmail", path=SEARCH)

    def _missing(self) -> Deferred:
        what = f"{self._path} is not a program" if self._path else "this machine has no sendmail program"
        return Deferred(Fault.UNREACHABLE, f"{what}. Install one (postfix, exim4, msmtp-mta), or give its path.")


def outcome_of_exit(code: int, said: str, *, closed: bool, alone: bool) -> Outcome:
    """What an exit code means, with the server's own words where the program repeats them.

    `closed`: it had the whole message. `alone`: there is one recipient, who can be blamed.
    """
    if code == 0 and not closed:
        return Deferred(Fault.PROVIDER, "sendmail ended before it had read the message")
    if code < 0:
        text = f"sendmail was killed by signal {-code}"
        return Unclear(text) if closed else Deferred(Fault.PROVIDER, text)
    if code and (server := _SERVER_SAID.search(said)) and int(server[1]) >= 400:
        return outcome_of(Reply(int(server[1]), (server[2].encode(),)), Step.DOT, alone=alone)
    known = EXITS.get(code, Deferred(Fault.PROVIDER, f"sendmail ended with code {code}"))
    if (isinstance(known, Unclear) and not closed) or (getattr(known, "fault", None) is Fault.RECIPIENT and not alone):
        known = Deferred(Fault.PROVIDER, known.reply)
    return known if not said or isinstance(known, Accepted) else replace(known, reply=f"{known.reply}: {said[:500]}")


def _unix(message: Message) -> Iterator[bytes]:
    """The content with LF line ends: sendmail is fed a Unix text, and makes CRLF of it. Some would keep a CR."""
    held = b""
    for piece in chain([message.head + message.body], message.tail.blocks() if message.tail else ()):
        block = held + piece
        held = b"\r" if block.endswith(b"\r") else b""
        yield block.removesuffix(b"\r").replace(b"\r\n", b"\n")
    yield held


def _all(parcel: Parcel, outcome: Outcome, phase: Phase, transcript: str = "") -> Report:
    return Report(outcomes=(outcome,) * len(parcel.recipients), phase=phase, transcript=transcript)


async def _reap(run: asyncio.subprocess.Process) -> None:
    if run.returncode is None:
        with suppress(ProcessLookupError):
            run.kill()
        await run.wait()
