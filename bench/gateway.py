"""Our gateway as anybody would run it: a `secondpost.toml`, `secondpost serve`, SIGTERM. Public interfaces only."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from bench.machine import free_port, wait_for_greeting

CONFIGURATION = """\
data_dir = "{scratch}/data"
primary = "primary"
{chosen_backup}

[smtp]
listen = ["127.0.0.1:{smtp}"]
hostname = "gateway.bench.example"

[http]
listen = "127.0.0.1:{http}"
"""

CONNECTION = """
[connections.{name}]
mailer = "smtp"
host = "127.0.0.1"
port = {port}
encryption = "none"
"""


class Gateway:
    """`with Gateway(primary=PORT) as relay:`. `relay.port` listens, `relay.pid` is the process."""

    name = "Secondpost"

    def __init__(
        self, *, primary: int, backup: int | None = None, preload: Path | None = None, concurrency: int | None = None
    ) -> None:
        self.port, self.http_port = free_port(), free_port()
        self.primary, self.backup, self.preload, self.concurrency = primary, backup, preload, concurrency
        self.scratch = Path(tempfile.mkdtemp(prefix="bench-secondpost-"))

    @property
    def data(self) -> Path:
        return self.scratch / "data"

    def __enter__(self) -> Self:
        self.configure()
        self.start()
        try:
            wait_for_greeting(self.port, self.running)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        self.remove()

    def configure(self) -> None:
        text = CONFIGURATION.format(
            scratch=self.scratch,
            smtp=self.port,
            http=self.http_port,
            chosen_backup='backup = "backup"' if self.backup else "",
        )
        text += f"\n[worker]\nconcurrency = {self.concurrency}\n" if self.concurrency else ""
        text += CONNECTION.format(name="primary", port=self.primary)
        text += CONNECTION.format(name="backup", port=self.backup) if self.backup else ""
        (self.scratch / "secondpost.toml").write_text(text)

    def start(self) -> None:
        command = [sys.executable, "-m", "secondpost", "serve", "--config", str(self.scratch / "secondpost.toml")]
        environment = dict(os.environ, **({"LD_PRELOAD": str(self.preload)} if self.preload else {}))
        with (self.scratch / "output").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=self.scratch)
        self.pid = self._process.pid

    def running(self) -> bool:
        if self._process.poll() is not None:
            output = (self.scratch / "output").read_text(errors="replace").strip()[-600:]
            raise RuntimeError(f"secondpost serve ended with {self._process.returncode}:\n{output}")
        return True

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def remove(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
