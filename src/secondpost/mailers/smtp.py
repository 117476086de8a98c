"""Any SMTP server: its settings, a message from its envelope to the answer, and signing in without sending.

Rule: a session that was found dead before anybody judged the message costs the message nothing; it takes a fresh one.
"""

import asyncio
from typing import ClassVar

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Phase
from secondpost.mailers import dkim, presets
from secondpost.mailers.base import Abilities, Crossing, Parcel, Report, Setting, Verdict
from secondpost.mailers.smtp_connect import Failure, connect, server
from secondpost.mailers.smtp_pool import Pool
from secondpost.mailers.smtp_session import Ride
from secondpost.mailers.stages import Stages
from secondpost.wire.client_envelope import GO, OVER
from secondpost.wire.client_transcript import render


class Smtp:
    """One SMTP server."""

    name: ClassVar[str] = "smtp"
    title: ClassVar[str] = "Other SMTP"
    can: ClassVar[Abilities] = Abilities()
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="preset", label="Provider", kind="choice", choices=("", *presets.PROVIDERS),
            help="Knows host, port and encryption; what is given below wins.",
        ),
        Setting(name="region", label="Region", help="Where the provider has several, such as eu; for SES eu-west-1."),
        Setting(name="host", label="SMTP Host", help="For example smtp.example.com."),
        Setting(
            name="encryption", label="Encryption", kind="choice", choices=("auto", "starttls", "tls", "none"),
            default="auto",
            help="auto: tls on port 465, else starttls. tls: from the first byte. none: for servers on this machine.",
        ),
        Setting(
            name="port", label="SMTP Port", kind="number", default=0,
            help="0: 587 for starttls, 465 for tls, 25 for none.",
        ),
        Setting(
            name="auth", label="Authentication", kind="choice", choices=("auto", "plain", "login", "xoauth2"),
            default="auto", advanced=True,
            help="auto: whatever the server offers. xoauth2: the password is an access token.",
        ),
        Setting(name="username", label="SMTP Username", help="Empty: no log-in."),
        Setting(name="password", label="SMTP Password", kind="secret"),
        Setting(name="helo", label="Name for EHLO", advanced=True, help="Empty: this machine's name."),
        Setting(
            name="ca_file", label="CA file", advanced=True,
            help="PEM file with the authorities to trust instead of the system's, for servers of your own.",
        ),
        Setting(
            name="allow_plaintext_auth", label="Allow log-in without encryption", kind="toggle", default=False,
            advanced=True,
            help="Sends the password in the clear. Not needed for a server on this machine.",
        ),
        Setting(
            name="idle_seconds", label="Close idle sessions after", kind="number", default=10, advanced=True,
            help="Seconds.",
        ),
        Setting(
            name="session_messages", label="Messages per session", kind="number", default=0, advanced=True,
            help="0: as many as the server takes.",
        ),
        Setting(
            name="chaining", label="Chain messages", kind="toggle", default=True, advanced=True,
            help="Send the next envelope while the server still thinks about the message before it.",
        ),
        # DATA is the better trodden way: filters and firewalls in front of some servers do not understand BDAT.
        Setting(
            name="chunking", label="Send with BDAT", kind="toggle", default=False, advanced=True,
            help="Where the server offers CHUNKING (RFC 3030).",
        ),
        *dkim.SETTINGS,
    )  # fmt: skip

    def __init__(self, connection: Connection) -> None:
        self._server = server(connection)
        self._signer = dkim.signer(connection.settings)
        self._pool = Pool(self._server, connection)

    @property
    def capacity(self) -> int:
        return self._pool.capacity

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        if self._signer is not None:
            parcel, refusal = await self._signer.sign(parcel)
            if refusal is not None:
                return refusal
        ride = await self._carry(parcel, crossing, fresh=False)
        for _ in range(self.capacity):  # each time one kept session less; a new one is never stale
            if not ride.stale:
                break
            ride = await self._carry(parcel, crossing, fresh=True)
        return self._report(ride, parcel)

    async def _carry(self, parcel: Parcel, crossing: Crossing, *, fresh: bool) -> Ride:
        loop = asyncio.get_running_loop()
        ride = Ride(parcel, crossing, loop.create_future(), fresh=fresh)
        try:
            self._pool.place(ride, loop)
            await ride.turn
            if ride.stage == GO:
                await self._cross(ride, loop)
        except BaseException:
            if not ride.passed:
                self._pool.withdraw(ride)
            elif ride.session is not None:  # nobody waits for the answer any more
                ride.session.drop("the attempt was ended")
            raise
        return ride

    async def _cross(self, ride: Ride, loop: asyncio.AbstractEventLoop) -> None:
        session = ride.session
        assert session is not None
        if ride.large:
            await session.stream(ride)
            if ride.stage == OVER:
                return
        granted = await ride.crossing.take()
        if ride.stage == OVER:  # the line was lost meanwhile: nothing was sent
            return
        if not granted:
            ride.abandoned = True
            self._pool.withdraw(ride)
            return
        ride.turn = loop.create_future()
        session.cross(ride)
        await ride.turn

    def _report(self, ride: Ride, parcel: Parcel) -> Report:
        outcomes = tuple([outcome or Deferred(Fault.UNREACHABLE, "no session") for outcome in ride.outcomes])
        if ride.failed:
            return Report(outcomes=outcomes, phase=ride.failed[0], transcript=ride.failed[1])
        transcript = ""
        if ride.session and (parcel.trace or any(type(outcome) is not Accepted for outcome in outcomes)):
            client = ride.session.client
            transcript = render(client.log, ride, self._server.account.secrets, client.ending)
        return Report(outcomes=outcomes, phase=ride.phase, transcript=transcript, abandoned=ride.abandoned)

    # ── signing in, and the end ─────────────────────────────────────────────────────────────────────────────────────

    async def verify(self) -> Verdict:
        stages = Stages()
        result = await connect(self._server, lambda _: None, stages)
        passed = tuple(stages.passed)
        if isinstance(result, Failure):
            return Verdict(outcome=result.outcome, phase=result.phase, stages=passed, transcript=result.transcript)
        client = result.client
        details = {
            "server": f"{self._server.host} port {self._server.port}",
            "extensions": " ".join(sorted(client.extensions.names)),
        }
        if client.encrypted and result.transport is not None:
            details["tls"] = result.transport.get_extra_info("ssl_object").version()
        transcript = render(client.log, None, self._server.account.secrets)
        greeting = str(client.log[0])
        result.hang_up()
        return Verdict(
            outcome=Accepted(greeting),
            phase=Phase.LOGIN,
            stages=passed,
            transcript=transcript,
            details=details | {"greeting": greeting},
        )

    async def close(self) -> None:
        self._pool.close()
