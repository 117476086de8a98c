"""The client's way from the greeting to the right to send, as a generator that yields commands and is sent replies.

Rule: nothing secret before TLS, and never a step down to plaintext.
"""

import base64
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from secondpost.core.numbers import whole
from secondpost.core.outcome import Deferred, Fault, Phase, Rejected
from secondpost.wire.blame import Step, outcome_of
from secondpost.wire.reply import Reply

Auth = Literal["auto", "plain", "login", "xoauth2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How to introduce ourselves and sign in. No `username`: no AUTH."""

    helo: str
    starttls: bool = False
    auth: Auth = "auto"
    username: str = ""
    password: str = ""
    plaintext_auth: bool = False  # AUTH without TLS: only to this machine, or when somebody asked for it
    chunking: bool = False  # use BDAT where it is offered

    @property
    def secrets(self) -> tuple[str, ...]:
        """Whatever must never be seen, in every form in which it may be on the wire."""
        if not self.password:
            return ()
        plain = (self.password.encode(), _plain(self), _bearer(self))
        return (self.password, *(base64.b64encode(form).decode() for form in plain))


@dataclass(frozen=True, slots=True)
class Command:
    """What to write, and how it is shown where the bytes are secret. `handshake`: nothing to write, start TLS now."""

    data: bytes
    shown: bytes = b""
    handshake: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What the server said that it can do (RFC 1869), as far as we care."""

    names: dict[str, str]  # keyword, upper case -> its parameters
    pipelining: bool = False
    chunking: bool = False
    eight_bit: bool = False
    utf8: bool = False
    size: int | None = None  # None: no SIZE; 0: no limit named
    mail_max: int = 0  # RFC 9422: transactions a session may carry; 0: no limit named

    @classmethod
    def read(cls, reply: Reply, *, chunking: bool) -> "Extensions":
        names: dict[str, str] = {}
        for line in reply.lines[1:]:
            # "AUTH=PLAIN" is how servers of the last century say it.
            keyword, *parameters = re.split("[ =]", line.decode("ascii", "replace").strip(), maxsplit=1)
            names[keyword.upper()] = " ".join([*filter(None, [names.get(keyword.upper())]), *parameters])
        limits = dict(part.upper().partition("=")[::2] for part in names.get("LIMITS", "").split())
        return cls(
            names=names,
            pipelining="PIPELINING" in names,
            chunking=chunking and "CHUNKING" in names,
            eight_bit="8BITMIME" in names,
            utf8="SMTPUTF8" in names,
            size=(whole(names["SIZE"]) or 0) if "SIZE" in names else None,
            mail_max=whole(limits.get("MAILMAX", "")) or 0,
        )


NONE = Extensions(names={})


class SignInFailed(Exception):
    """The way ended early. Caught by the client, which turns it into outcomes."""

    def __init__(self, outcome: Deferred | Rejected, phase: Phase) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome
        self.phase = phase


Dialogue = Generator[Command, Reply, Extensions]


def sign_in(account: Account, *, encrypted: bool) -> Dialogue:
    """The whole way. What it returns is what the server can do now."""
    greeting = yield Command(b"")
    _expect(greeting, Step.GREETING, 220)
    extensions = yield from _hello(account, fallback=not (account.starttls or account.username))
    if account.starttls and not encrypted:
        yield from _start_tls(extensions)
        encrypted = True
        # RFC 3207 section 4.2: forget everything that was said before.
        extensions = yield from _hello(account, fallback=False)
    if account.username:
        yield from _authenticate(account, extensions, encrypted=encrypted)
    return extensions


def _expect(reply: Reply, step: Step, code: int) -> None:
    if reply.code == code:
        return
    phase = {Step.STARTTLS: Phase.TLS, Step.AUTH: Phase.LOGIN}.get(step, Phase.GREETING)
    if reply.code < 400:
        raise SignInFailed(Deferred(Fault.UNREACHABLE, f"An answer to {step} was not expected: {reply}"), phase)
    raise SignInFailed(outcome_of(reply, step), phase)


def _hello(account: Account, *, fallback: bool) -> Dialogue:
    reply = yield Command(b"EHLO %b\r\n" % account.helo.encode())
    # RFC 5321 section 3.2: who does not know EHLO gets HELO, but that offers neither TLS nor AUTH.
    if reply.code in {500, 501, 502, 504} and fallback:
        reply = yield Command(b"HELO %b\r\n" % account.helo.encode())
        _expect(reply, Step.HELLO, 250)
        return NONE
    _expect(reply, Step.HELLO, 250)
    return Extensions.read(reply, chunking=account.chunking)


def _start_tls(extensions: Extensions) -> Generator[Command, Reply, None]:
    if "STARTTLS" not in extensions.names:
        text = (
            "The server does not offer STARTTLS. Nothing was sent in the clear. "
            "Check the port and the encryption, or who sits on the line."
        )
        raise SignInFailed(Deferred(Fault.UNREACHABLE, text), Phase.TLS)
    reply = yield Command(b"STARTTLS\r\n")
    _expect(reply, Step.STARTTLS, 220)
    yield Command(b"", handshake=True)


def _authenticate(account: Account, extensions: Extensions, *, encrypted: bool) -> Generator[Command, Reply, None]:
    if not (encrypted or account.plaintext_auth):
        raise _no_log_in(
            "The password was not sent, since the session is not encrypted. Choose the encryption starttls or tls."
        )
    offered = extensions.names.get("AUTH", "").upper().split()
    if not offered:
        raise _no_log_in("The server offers no log-in here. Check the port and the encryption, or remove the username.")
    wanted = (
        [account.auth.upper()] if account.auth != "auto" else [name for name in ("PLAIN", "LOGIN") if name in offered]
    )
    if not wanted or wanted[0] not in offered:
        raise _no_log_in(f"The server offers the log-in {' '.join(offered)}, which this connection cannot use.")
    reply = Reply(504, (b"",))
    for name in wanted:
        reply = yield from _MECHANISMS[name](account)
        if reply.code != 504:  # RFC 4954 section 4: 504 is "not this mechanism", not "not this password"
            break
    _expect(reply, Step.AUTH, 235)


def _no_log_in(text: str) -> SignInFailed:
    return SignInFailed(Deferred(Fault.ACCOUNT, text), Phase.LOGIN)


def _plain(account: Account) -> bytes:
    return b"\0%b\0%b" % (account.username.encode(), account.password.encode())


def _bearer(account: Account) -> bytes:
    return b"user=%b\x01auth=Bearer %b\x01\x01" % (account.username.encode(), account.password.encode())


def _secret(content: bytes, before: bytes = b"") -> Command:
    return Command(before + base64.b64encode(content) + b"\r\n", before + b"****")


def _auth_plain(account: Account) -> Generator[Command, Reply, Reply]:
    return (yield _secret(_plain(account), b"AUTH PLAIN "))


def _auth_login(account: Account) -> Generator[Command, Reply, Reply]:
    reply = yield Command(b"AUTH LOGIN\r\n")
    for answer in (account.username, account.password):
        if reply.code == 334:
            reply = yield _secret(answer.encode())
    return reply


def _auth_xoauth2(account: Account) -> Generator[Command, Reply, Reply]:
    reply = yield _secret(_bearer(account), b"AUTH XOAUTH2 ")
    if reply.code == 334:  # the reason of the refusal, as base64 of JSON; an empty line asks for the refusal itself
        reply = yield Command(b"\r\n")
    return reply


_MECHANISMS = {"PLAIN": _auth_plain, "LOGIN": _auth_login, "XOAUTH2": _auth_xoauth2}
