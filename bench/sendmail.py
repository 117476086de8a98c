"""What one call of `secondpost-sendmail` costs, beside msmtp's, both handing the same message to the same gateway."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.gateway import Gateway
from bench.machine import free_port
from bench.report import Section, median, progress, times

MESSAGE = b"From: shop@example.com\nTo: anna@example.com\nSubject: Your order\n\nIt is on its way.\n"


def measure(*, quick: bool) -> Section:
    count = 20 if quick else 200
    with Gateway(primary=free_port()) as gateway:
        ours, theirs = _ours(gateway.port), _msmtp(gateway.port)
        took: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(count):  # in turns, so that whatever else the machine does meets both
            took["ours"].append(_call(*ours))
            took["theirs"].append(_call(*theirs))
    mine, other = 1000 * median(took["ours"]), 1000 * median(took["theirs"])
    progress(f"sendmail: {mine:.0f} ms, msmtp {other:.0f} ms")
    return Section(
        title="One call of sendmail",
        text=f"Medians of {count} calls each, in turns: a small message on standard input, until the program ends.",
        columns=["", "secondpost-sendmail", "msmtp", ""],
        rows=[["a call, ms", f"{mine:.1f}", f"{other:.1f}", times(mine, other)]],
    )


def _ours(port: int) -> tuple[list[str], dict[str, str]]:
    program = str(Path(sys.executable).parent / "secondpost-sendmail")
    environ = {"SECONDPOST_SMTP__LISTEN": f"127.0.0.1:{port}", "SECONDPOST_SENDMAIL__SOCKET": "off"}
    return [program, "-t", "-i", "-f", "shop@example.com"], dict(os.environ) | environ


def _msmtp(port: int) -> tuple[list[str], dict[str, str]]:
    program = shutil.which("msmtp")
    if program is None:
        raise RuntimeError("msmtp is not installed; ./dev setup brings it")
    return [program, "--host=127.0.0.1", f"--port={port}", "--from=shop@example.com", "-t"], dict(os.environ)


def _call(command: list[str], environ: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, input=MESSAGE, env=environ, check=True)
    return time.perf_counter() - started
