"""A disk whose every fsync takes 2 ms more: a small library, preloaded into both relays, waits before each."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.gateway import Gateway
from bench.load import Load, Run, Sink, drive, remarks
from bench.postfix import Postfix
from bench.report import Section, median, progress, rate, times

SESSIONS = (10, 50, 200)
ROUNDS = 3
MESSAGES = {Gateway.name: 10_000, Postfix.name: 3_000}

# strace could inject the delay too, but it slows every system call of the traced processes.
SOURCE = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int slowly(const char *name, int file) {
    struct timespec delay = {0, 2000000};
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    nanosleep(&delay, 0);
    return real(file);
}
int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
"""


def measure(*, quick: bool) -> Section:
    found: dict[tuple[int, str], list[Run]] = {}
    with slow_fsync() as library:
        for number in range(1 if quick else ROUNDS):
            for sessions in SESSIONS:
                for relay in (Gateway, Postfix):
                    run = _run(relay, library, sessions, quick=quick)
                    found.setdefault((sessions, relay.name), []).append(run)
                    progress(
                        f"slowdisk: round {number + 1}, {run.load}, {relay.name}: {rate(run.delivered_per_second)}/s"
                    )
    rates = {key: median(run.delivered_per_second for run in runs) for key, runs in found.items()}
    return Section(
        title="A slow disk",
        text="Messages a second, end to end, kept sessions, with every fsync and fdatasync 2 ms slower. This is what "
        "one commit for all who wait buys: more sessions share each fsync.",
        columns=["sessions", "Secondpost", "Postfix", "ratio"],
        rows=[_row(sessions, rates[sessions, Gateway.name], rates[sessions, Postfix.name]) for sessions in SESSIONS],
        remarks=remarks(run for runs in found.values() for run in runs),
    )


@contextmanager
def slow_fsync() -> Iterator[Path]:
    """A library to preload. Readable by Postfix's own user, as its folder must be too."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise RuntimeError("slowdisk needs a C compiler (cc) for its slow fsync, and there is none.")
    with tempfile.TemporaryDirectory(prefix="bench-slow-") as folder:
        Path(folder).chmod(0o755)
        library = Path(folder) / "slow.so"
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), "-x", "c", "-", "-ldl"]
        subprocess.run(command, input=SOURCE.encode(), check=True)
        yield library


def _run(relay: type[Gateway] | type[Postfix], library: Path, sessions: int, *, quick: bool) -> Run:
    messages = MESSAGES[relay.name] // (5 if quick else 1)
    with Sink() as sink, relay(primary=sink.port, preload=library) as running:
        drive(running, sink, Load(messages=5 * sessions, sessions=sessions))
        return drive(running, sink, Load(messages=messages, sessions=sessions))


def _row(sessions: int, ours: float, theirs: float) -> list[str]:
    return [str(sessions), rate(ours), rate(theirs), times(ours, theirs)]
