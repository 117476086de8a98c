"""One SMTP conversation of the test provider, in its own thread.

RFC 5321, 1870 (SIZE), 2920 (PIPELINING), 3030 (CHUNKING), 6531 (SMTPUTF8).
"""

import base64
import contextlib
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.provider import Provider

Action = Callable[["Session", bytes], bytes]

STRICT_END = re.compile(rb"\r\n\.\r\n")
LAX_END = re.compile(rb"(?:\r\n|\n|\r)\.(?:\r\n|\n|\r)")
ID = re.compile(rb"^(?:X-Test-Id|Message-ID):[ \t\r\n]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
TEST_ID = re.compile(rb"^X-Test-Id:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
PATH = re.compile(r"(?:FROM|TO):\s*<([^>]*)>\s*(.*)", re.IGNORECASE)
TOO_MUCH = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One message as it was taken, once for each transaction."""

    mark: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    session: int
    at: float
    parameters: str = ""


class Gone(Exception):
    """The session is over, by the script or by the client."""


class Session(threading.Thread):
    def __init__(self, provider: "Provider", sock: socket.socket, number: int) -> None:
        super().__init__(daemon=True, name=f"{provider.name}-{number}")
        self.provider, self.sock, self.number = provider, sock, number
        self.buffer = bytearray()
        self.bytes_per_second = 0
        self.encrypted = self.greeted = False
        self.logged_in = not provider.users
        self._forget_transaction()

    def _forget_transaction(self) -> None:
        self.sender: str | None = None
        self.parameters = ""
        self.recipients: list[str] = []
        self.chunks: bytearray | None = None

    # ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def fill(self) -> None:
        """Read something; the client's end of file is the end of the session."""
        if self.bytes_per_second:
            time.sleep(0.1)
        block = self.sock.recv(max(1, self.bytes_per_second // 10) if self.bytes_per_second else 1 << 18)
        if not block or len(self.buffer) > TOO_MUCH:
            raise Gone
        self.buffer += block

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def waiting(self, seconds: float = 0) -> bool:
        """Is there something from the client that we have not read?"""
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        return pending or bool(select.select([self.sock], [], [], seconds)[0])

    def wait(self, seconds: float) -> None:
        """Do nothing for a while; end early when the client has hung up or the provider stops."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.provider.stopped:
                raise Gone
            if not self.waiting(min(left, 0.05)):
                continue
            if self._hung_up():
                raise Gone
            time.sleep(min(left, 0.02))  # the client talks on; we do not read

    def _hung_up(self) -> bool:
        try:
            return socket.socket.recv(self.sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def linger(self) -> None:
        """Keep the line open without reading, until the client leaves."""
        self.wait(10)

    def cut(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    # ── the conversation ────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        # ValueError: the socket was closed under us.
        with contextlib.suppress(Gone, OSError, ValueError):
            self._converse()
        self.sock.close()
        self.provider.forget(self)

    def _converse(self) -> None:
        if self.provider.implicit_tls:
            self._handshake()
        if self.answer("greeting", f"220 {self.provider.name}.example ESMTP") != 220:
            raise Gone
        while True:
            line = self._line()
            verb, _, argument = line.partition(" ")
            self.provider.commands[verb.upper()] += 1
            handle = getattr(self, f"smtp_{verb.lower()}", None)
            if handle is None:
                self.violation(f"unknown command {line[:60]!r}")
                self.answer("unknown", "500 5.5.2 What?")
            else:
                self._check_pipelining(verb.upper())
                handle(argument)

    def _line(self) -> str:
        """The next command. A lax server takes any line end and skips empty lines."""
        end = b"\n" if self.provider.lax else b"\r\n"
        while (found := self.buffer.find(end)) < 0:
            if len(self.buffer) > 100_000:
                self.violation("a command line without end")
                raise Gone
            self.fill()
        line = bytes(self.buffer[:found])
        del self.buffer[: found + len(end)]
        if self.provider.lax:
            return line.strip(b"\r\n").decode("utf-8", "replace") or self._line()
        if any(byte in line for byte in b"\r\n\0"):
            self.violation(f"bare CR, LF or NUL in the command {line[:80]!r}")
        if len(line) > 2046:
            self.violation(f"a command of {len(line)} bytes")
        return line.decode("utf-8", "replace")

    def violation(self, text: str) -> None:
        if not self.provider.lax:
            self.provider.violations.append(f"session {self.number}: {text}")

    def _check_pipelining(self, verb: str) -> None:
        last_of_a_group = verb in {"EHLO", "HELO", "DATA", "AUTH", "STARTTLS", "QUIT", "NOOP"}
        if self.buffer and (last_of_a_group or "PIPELINING" not in self.provider.extensions) and verb != "BDAT":
            self.violation(f"talks on after {verb} without waiting: {bytes(self.buffer[:40])!r}")

    def answer(self, step: str, reply: str, about: str = "") -> int:
        """Says `reply`, or what the script wants instead. Returns the code that was said; 421 ends the session."""
        act = self.provider.scripted(step, about)
        said = reply.encode() + b"\r\n" if reply else b""
        said = act(self, said) if act else said
        if said:
            self.send(said)
        if said.startswith(b"421"):
            raise Gone
        return int(said[:3]) if said[:3].isdigit() else 0

    def smtp_ehlo(self, argument: str) -> None:
        provider = self.provider
        words = sorted(provider.extensions)
        if provider.max_size:
            words.append(f"SIZE {provider.max_size}")
        if provider.tls and not provider.implicit_tls and not self.encrypted:
            words.append("STARTTLS")
        if provider.users:
            words.append("AUTH PLAIN LOGIN")
        lines = [f"{provider.name}.example greets {argument}", *words]
        separators = ["-"] * (len(lines) - 1) + [" "]
        reply = "\r\n".join(f"250{mark}{line}" for mark, line in zip(separators, lines, strict=True))
        self._forget_transaction()
        self.greeted = self.answer("ehlo", reply, argument) == 250

    def smtp_helo(self, argument: str) -> None:
        self.greeted = self.answer("ehlo", f"250 {self.provider.name}.example", argument) == 250

    def smtp_starttls(self, _: str) -> None:
        if not self.provider.tls or self.encrypted:
            self.violation("STARTTLS was not offered")
            self.answer("starttls", "502 5.5.1 Not here")
        elif self.answer("starttls", "220 2.0.0 Go ahead") == 220:
            self.buffer.clear()  # what came before the handshake came from nobody knows whom
            self._handshake()
            self.greeted = False

    def _handshake(self) -> None:
        if act := self.provider.scripted("tls", ""):
            self.send(act(self, b""))
        assert self.provider.tls
        self.sock.settimeout(10)
        self.sock = self.provider.tls.wrap_socket(self.sock, server_side=True)
        self.sock.settimeout(None)
        self.encrypted = True

    def smtp_auth(self, argument: str) -> None:
        kind, _, initial = argument.partition(" ")
        if kind.upper() == "PLAIN":
            secret = base64.b64decode(initial or self._challenge("")).decode()
            _, user, password = secret.split("\0")
        else:
            user = base64.b64decode(initial or self._challenge("Username:")).decode()
            password = base64.b64decode(self._challenge("Password:")).decode()
        right = self.provider.users.get(user) == password
        code = self.answer("auth", "235 2.7.0 Welcome" if right else "535 5.7.8 Bad credentials", user)
        self.logged_in = code == 235
        if not self.logged_in:
            self.provider.refused[user] += 1

    def _challenge(self, text: str) -> str:
        self.send(b"334 " + base64.b64encode(text.encode()) + b"\r\n")
        return self._line()

    # ── the transaction ─────────────────────────────────────────────────────────────────────────────────────────────

    def smtp_mail(self, argument: str) -> None:
        found = PATH.fullmatch(argument.strip())
        if not self.greeted or self.sender is not None or not found:
            self.violation(f"MAIL out of order or malformed: {argument!r}")
            self.answer("refused", "503 5.5.1 Not now")
        elif not self.logged_in:
            self.answer("mail", "530 5.7.0 Log in first", argument)
        elif self._too_large(found[2]):
            self.answer("mail", "552 5.3.4 Too large", argument)
        else:
            self._check_parameters(found[2].upper())
            self.parameters = found[2]
            self.sender = found[1] if self.answer("mail", "250 2.1.0 Ok", argument) == 250 else None

    def _too_large(self, parameters: str) -> bool:
        size = re.search(r"SIZE=(\d+)", parameters.upper())
        return bool(self.provider.max_size and size and int(size[1]) > self.provider.max_size)

    def _check_parameters(self, parameters: str) -> None:
        offered = {"SIZE": bool(self.provider.max_size), "BODY": "8BITMIME" in self.provider.extensions}
        offered |= {"SMTPUTF8": "SMTPUTF8" in self.provider.extensions, "AUTH": bool(self.provider.users)}
        for word in parameters.split():
            if not offered.get(word.partition("=")[0]):
                self.violation(f"MAIL parameter {word} was not offered")

    def smtp_rcpt(self, argument: str) -> None:
        found = PATH.fullmatch(argument.strip())
        if self.sender is None or not found:
            self.answer("rcpt", "503 5.5.1 MAIL first", argument)
        elif self.answer("rcpt", "250 2.1.5 Ok", argument) == 250:
            self.recipients.append(found[1])

    def smtp_data(self, _: str) -> None:
        if not self.recipients:
            self.answer("data", "554 5.5.1 No valid recipients")
        elif self.answer("data", "354 End with a dot") == 354:
            self.answer("body", "")
            content = self._content()
            self._finish(content)

    def _content(self) -> bytes:
        """The message up to its end, dots unstuffed."""
        stream, end = bytearray(b"\r\n"), LAX_END if self.provider.lax else STRICT_END
        searched = 0
        while True:
            stream += self.buffer
            self.buffer.clear()
            if found := end.search(stream, max(0, searched - 4)):
                break
            searched = len(stream)
            self.fill()
        self.buffer += stream[found.end() :]
        content = bytes(stream[2 : found.start() + 2]) if found.start() else b""
        return re.sub(rb"(?m)^\.", b"", content) if b"." in content else content

    def smtp_bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        while len(self.buffer) < int(size):
            self.fill()
        self.chunks = self.chunks or bytearray()
        self.chunks += self.buffer[: int(size)]
        del self.buffer[: int(size)]
        if "CHUNKING" not in self.provider.extensions or not self.recipients:
            self.violation("BDAT was not offered or has no recipients")
            self.answer("data", "503 5.5.1 Not now")
        elif last:
            self._finish(bytes(self.chunks))
        else:
            self.answer("data", f"250 2.0.0 {size} octets")

    def _finish(self, content: bytes) -> None:
        self._check_content(content)
        if self.provider.max_size and len(content) > self.provider.max_size:
            self.answer("dot", "552 5.3.4 Too large")
        elif self.answer("dot", "") == 0:
            self._take(content)
            self.answer(
                "taken", f"250 2.0.0 Ok: queued as {self.number}-{len(self.provider.mail)}", self._mark(content)
            )
        self._forget_transaction()

    def _check_content(self, content: bytes) -> None:
        if re.search(rb"\r(?!\n)|(?<!\r)\n|\0", content):
            self.violation("bare CR, LF or NUL in the content")
        eight = "8BITMIME" in self.provider.extensions and "8BITMIME" in self.parameters.upper()
        if not content.isascii() and not eight and "SMTPUTF8" not in self.parameters.upper():
            self.violation("8-bit content without BODY=8BITMIME")

    def _mark(self, content: bytes) -> str:
        head = content.partition(b"\r\n\r\n")[0]
        found = TEST_ID.search(head) or ID.search(head)
        return found[1].strip().decode("utf-8", "replace") if found else ""

    def _take(self, content: bytes) -> None:
        self.provider.take(
            Copy(
                mark=self._mark(content),
                sender=self.sender or "",
                recipients=tuple(self.recipients),
                data=content,
                session=self.number,
                at=time.monotonic(),
                parameters=self.parameters,
            )
        )

    # ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────

    def smtp_rset(self, _: str) -> None:
        self._forget_transaction()
        self.answer("rset", "250 2.0.0 Ok")

    def smtp_noop(self, _: str) -> None:
        self.answer("noop", "250 2.0.0 Ok")

    def smtp_quit(self, _: str) -> None:
        self.answer("quit", "221 2.0.0 Bye")
        raise Gone
