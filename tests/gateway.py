"""The real gateway, as people run it: `secondpost serve` in a process of its own, asked only through SMTP and its own
commands.

Rule: nothing of Secondpost is imported here. What these tests claim, anybody can see from outside.
"""

import itertools
import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tests.provider import HOST, Provider, free_port, wait_until

ROOT = Path(__file__).parent.parent
START_WITHIN = 20
# A test run that is killed takes its gateways along (util-linux; elsewhere they stay).
END_WITH_US = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []
_marks = itertools.count(1)


class Gateway:
    """`with Gateway(folder, primary=…, backup=…) as gateway:` starts it; at the end it is killed, whatever state it is
    in.

    Connections are providers, or sections of the configuration as they stand in secondpost.toml.
    """

    def __init__(
        self,
        folder: Path,
        *,
        primary: Provider | Mapping[str, Any] | None = None,
        backup: Provider | Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.port, self.http_port = folder, free_port(), free_port()
        self.config = folder / "secondpost.toml"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SECONDPOST_", "DATABASE_URL"))
        }
        self.environment |= {"PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "default", "NO_COLOR": "1"} | dict(
            environment or {}
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.numbers: dict[str, str] = {}  # by X-Test-Id, what it said at acceptance
        self._write_config(primary, backup, settings or {})

    def _write_config(self, primary: Any, backup: Any, settings: Mapping[str, Any]) -> None:
        config: dict[str, Any] = {
            "data_dir": str(self.folder / "data"),
            "smtp": {"listen": [f"{HOST}:{self.port}"], "hostname": "gateway.example"},
            "http": {"listen": f"{HOST}:{self.http_port}"},
        }
        for name, connection in (("primary", primary), ("backup", backup)):
            if connection is not None:
                section = connection.connection() if isinstance(connection, Provider) else dict(connection)
                config[name] = name
                config.setdefault("connections", {})[name] = section
        self.settings = merged(config, settings)
        self.write_config()

    def write_config(self) -> None:
        """For tests that change `settings` between two starts."""
        self.config.write_text("".join(f"{key} = {toml(value)}\n" for key, value in self.settings.items()))

    @property
    def data(self) -> Path:
        return Path(self.settings["data_dir"])

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def command(self) -> list[str]:
        return [*END_WITH_US, sys.executable, "-m", "secondpost", "--config", str(self.config)]

    def start(self) -> Self:
        self.launch()
        wait_until(self._listens, START_WITHIN, lambda: f"the gateway does not listen:\n{self.output()}")
        return self

    def launch(self) -> None:
        """Start it and do not wait."""
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [*self.command, "serve"],
                stdout=output,
                stderr=output,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )

    def _listens(self) -> bool:
        assert self.process
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.output()}"
        with suppress(OSError), socket.create_connection((HOST, self.port), 1) as session:
            session.settimeout(2)
            return session.recv(3) == b"220"
        return False

    def signal(self, number: int) -> None:
        """To it and its children. Never to a number that may be somebody else's by now."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Power off, as far as a process can feel it."""
        if self.process:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds: float = 20) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(seconds)

    def restart(self) -> None:
        self.kill()
        self.start()

    def output(self) -> str:
        """What it printed since the first start."""
        path = self.folder / "output"
        return path.read_text(errors="replace") if path.exists() else ""

    def report(self) -> str:
        """For the message of a failed test: what waits, the stories of the first not accepted, what was printed."""
        lines = [self.run("queue").stdout]
        with suppress(AssertionError, ValueError):
            open_ones = [row["id"] for row in self.log().values() if row["status"] != "accepted"]
            lines += [self.run("log", "show", "--transcript", number).stdout for number in open_ones[:3]]
        return "\n".join([*lines, self.output()[-3000:]])

    @property
    def complaints(self) -> list[str]:
        """Lines of its output that show a bug, whatever was done to it."""
        words = (
            "Traceback (most recent",
            "never retrieved",
            "was never awaited",
            "ResourceWarning",
            "Task was destroyed",
            "IllegalMove",
        )
        return [line for line in self.output().splitlines() if any(word in line for word in words)]

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def client(self, seconds: float = 20) -> smtplib.SMTP:
        return smtplib.SMTP(HOST, self.port, local_hostname="client.example", timeout=seconds)

    def send(
        self, *to: str, mark: str = "", client: smtplib.SMTP | None = None, body: str = "Hello\r\n", **headers: str
    ) -> str:
        """One message; its X-Test-Id, which is also its subject. `Secondpost_Priority="urgent"` is a header."""
        mark = mark or new_mark()
        data = message(mark, body, headers)
        if client:
            self.numbers[mark] = submit(client, to or ("anna@example.com",), data)
        else:
            with self.client() as session:
                self.numbers[mark] = submit(session, to or ("anna@example.com",), data)
        return mark

    def send_many(self, count: int, *, sessions: int = 1, **headers: str) -> list[str]:
        """`count` messages over some sessions at once."""
        sent: list[str] = []

        def work(share: int) -> None:
            with self.client() as client:
                sent.extend(self.send(client=client, **headers) for _ in range(share))

        shares = [count // sessions + (number < count % sessions) for number in range(sessions)]
        together([lambda share=share: work(share) for share in shares if share])  # type: ignore[misc]
        return sent

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, *arguments: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """One of its commands, as a person would type it."""
        command = [sys.executable, "-m", "secondpost", "--config", str(self.config), *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=seconds, check=False
        )

    def cli(self, *arguments: str) -> Any:
        """A command's answer as data. That it fails is a failure of the test."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def ask(self, operation: str, **arguments: Any) -> tuple[list[dict[str, Any]], Any]:
        """What its commands ask it, over the socket that they use: they take half a second each."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(30)
            door.connect(str(self.data / "control.sock"))
            door.sendall(json.dumps({"do": operation, "with": arguments}).encode() + b"\n")
            with door.makefile("rb") as file:
                answers = [json.loads(next(file))]
                while "row" in answers[-1]:
                    answers.append(json.loads(next(file)))
        *rows, last = answers
        assert last["ok"], last
        return [row["row"] for row in rows], last["result"]

    def log(self, **filters: str) -> dict[str, dict[str, Any]]:
        """Every message of the log by its subject, which is its X-Test-Id."""
        rows, _ = self.ask("log_export", **filters)
        return {row["subject"]: row for row in rows}

    def entry(self, mark: str) -> dict[str, Any]:
        """What the log knows of the message with this X-Test-Id."""
        _, shown = self.ask("log_show", id=self.numbers[mark])
        return shown  # type: ignore[no-any-return]

    def story(self, mark: str) -> str:
        """The same as a person reads it."""
        return self.run("log", "show", self.numbers[mark]).stdout

    def states(self, mark: str) -> dict[str, str]:
        """The state of each recipient."""
        return {delivery["recipient"]: delivery["state"] for delivery in self.entry(mark)["deliveries"]}

    def state(self, mark: str) -> str:
        """The state of a message with one recipient."""
        (state,) = self.states(mark).values()
        return state

    def becomes_all(self, mark: str, state: str, seconds: float = 10) -> None:
        """All deliveries of the message reach this state."""
        wait_until(lambda: set(self.states(mark).values()) == {state}, seconds, lambda: self.states(mark))

    def attempts(self, mark: str) -> list[str]:
        """The connections that were tried, in order."""
        return [attempt["connection"] for attempt in self.entry(mark)["attempts"]]

    def becomes(self, mark: str, state: str, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while (seen := self.state(mark)) != state:
            assert time.monotonic() < end, (
                f"{mark} is {seen}, not {state}, after {seconds} s:\n{json.dumps(self.entry(mark), indent=1)}"
            )
            time.sleep(0.1)


@contextmanager
def relaying(folder: Path) -> Iterator[tuple[Gateway, Provider]]:
    """A gateway, and the provider that takes what it sends."""
    with Provider() as provider, Gateway(folder, primary=provider) as gateway:
        yield gateway, provider
        assert gateway.complaints == []


def submit(client: smtplib.SMTP, to: Iterable[str], data: bytes) -> str:
    """One transaction; the number that the gateway gave the message. Raises what smtplib raises."""
    client.ehlo_or_helo_if_needed()
    for code, text in (client.mail("shop@example.com"), *(client.rcpt(address) for address in to)):
        if code != 250:
            client.rset()
            raise smtplib.SMTPResponseException(code, text)
    code, text = client.data(data)
    if code != 250:
        raise smtplib.SMTPResponseException(code, text)
    return text.decode().rpartition(" ")[2]


def new_mark() -> str:
    return f"t{os.getpid()}-{next(_marks)}"


def message(mark: str, body: str = "Hello\r\n", headers: Mapping[str, str] | None = None) -> bytes:
    """CRLF line ends, and the identity that the test provider counts by."""
    fields = {"X-Test-Id": mark, "From": "shop@example.com", "To": "anna@example.com", "Subject": mark} | dict(
        headers or {}
    )
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return (head + "\r\n" + body).encode()


def together(jobs: Iterable[Callable[[], object]]) -> None:
    """Run all at once; the first error is raised."""
    errors: list[BaseException] = []

    def guarded(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`one`, with what `other` says of the same tables put into them."""
    result = dict(one)
    for key, value in other.items():
        result[key] = merged(result[key], value) if isinstance(value, Mapping) and key in result else value
    return result


def toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)
