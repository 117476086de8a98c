"""What a process tree costs, and whether somebody else's work disturbed a run. Linux only."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

MIB = 2**20
DISTURBED = 0.4  # of one core, used by others while we measured
SAMPLE_EVERY = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """MiB summed over a process tree. Private leaves out shared pages: fair to Postfix's many small processes."""

    private: float = 0.0
    resident: float = 0.0


class Watch:
    """One relay's process tree during one run, and the rest of the machine."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.wall = self.cpu = self.others = 0.0
        self.peak = Memory()
        self._sampled = 0.0

    def sample(self) -> None:
        """Call often; it looks at most every quarter of a second."""
        if (now := time.monotonic()) - self._sampled >= SAMPLE_EVERY:
            self._sampled, seen = now, memory(self.root)
            self.peak = Memory(
                private=max(self.peak.private, seen.private), resident=max(self.peak.resident, seen.resident)
            )

    @property
    def disturbed(self) -> bool:
        return self.others > DISTURBED * self.wall


@contextmanager
def watching(root: int) -> Iterator[Watch]:
    """Account for the tree under `root`. Whatever we started ourselves, load generators included, disturbs nobody."""
    watch, ourselves = Watch(root), psutil.Process().pid
    wall, busy, cpu, ours = time.monotonic(), _busy(), tree_cpu(root), tree_cpu(ourselves)
    watch.sample()
    yield watch
    watch.sample()
    watch.wall, watch.cpu = time.monotonic() - wall, tree_cpu(root) - cpu
    watch.others = max(0.0, _busy() - busy - (tree_cpu(ourselves) - ours))


def tree_cpu(root: int) -> float:
    """Seconds of CPU of `root`, of its living descendants, and of the dead ones that were waited for."""
    seconds = 0.0
    for process in tree(root):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def memory(root: int) -> Memory:
    resident = shared = 0
    for process in tree(root):
        with suppress(psutil.NoSuchProcess):
            seen = process.memory_info()
            resident, shared = resident + seen.rss, shared + seen.shared
    return Memory(private=(resident - shared) / MIB, resident=resident / MIB)


def tree(root: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    return []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for_greeting(port: int, alive: Callable[[], bool], patience: float = 20.0) -> None:
    """Return once something greets on the port; a process that died or never listens is an error."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and alive():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as session:
            session.settimeout(5)
            if session.recv(3) == b"220":
                return
        time.sleep(0.002)
    raise RuntimeError(f"Nothing greeted on 127.0.0.1:{port}: the process ended, or needs more than {patience:.0f} s.")


def _busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq
