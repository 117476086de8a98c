"""End to end: how many messages a second go in at one side and come out at the other, on disk in between."""

from collections import defaultdict

from bench.gateway import Gateway
from bench.load import Load, Relay, Run, Sink, drive, remarks
from bench.postfix import Postfix
from bench.report import Section, median, progress, rate, times

ROUNDS = 5
SCENARIOS = [(10, False), (10, True), (50, True), (200, True)]  # sessions, kept
MESSAGES = {Gateway.name: 20_000, Postfix.name: 3_000, "no relay": 20_000}  # some seconds for each


class NoRelay:
    """The load generator straight into the sink: what the tools themselves can do here."""

    name = "no relay"

    def __init__(self, sink: Sink) -> None:
        self.port, self.pid = sink.port, sink.pid


def measure(*, quick: bool) -> Section:
    runs: dict[tuple[tuple[int, bool], str], list[Run]] = defaultdict(list)
    for number in range(1 if quick else ROUNDS):
        for scenario in SCENARIOS:
            for run, name in _turns(scenario, quick=quick):
                runs[scenario, name].append(run)
                progress(f"relay: round {number + 1}, {run.load}, {name}: {_line(run)}")
    return Section(
        title="Relaying",
        text="Messages a second, end to end, with bodies of 1 KiB. CPU is the relay's own, all its processes together; "
        "memory is what is private to them at the peak; ours / theirs. “No relay” is the load generator straight into "
        "the sink.",
        columns=["load", "Secondpost", "Postfix", "ratio", "CPU ms/message", "MiB", "no relay"],
        rows=[_row(runs, scenario) for scenario in SCENARIOS],
        remarks=remarks(run for several in runs.values() for run in several),
    )


def _turns(scenario: tuple[int, bool], *, quick: bool) -> list[tuple[Run, str]]:
    """Both relays once, and the tools alone, one after the other."""
    turns = []
    for relay_class in (Gateway, Postfix):
        with Sink() as sink, relay_class(primary=sink.port) as relay:
            turns.append((_run(relay, sink, scenario, quick=quick), relay.name))
    with Sink() as sink:
        turns.append((_run(NoRelay(sink), sink, scenario, quick=quick), NoRelay.name))
    return turns


def _run(relay: Relay, sink: Sink, scenario: tuple[int, bool], *, quick: bool) -> Run:
    sessions, kept = scenario
    # First what starts processes and fills caches.
    drive(relay, sink, Load(messages=10 * sessions, sessions=sessions, kept=kept))
    messages = MESSAGES[relay.name] // (5 if quick else 1)
    return drive(relay, sink, Load(messages=messages, sessions=sessions, kept=kept))


def _row(runs: dict[tuple[tuple[int, bool], str], list[Run]], scenario: tuple[int, bool]) -> list[str]:
    ours, theirs, neither = (runs[scenario, name] for name in (Gateway.name, Postfix.name, NoRelay.name))
    rates = [median(run.delivered_per_second for run in several) for several in (ours, theirs, neither)]
    cpu = [f"{median(run.cpu_ms for run in several):.2f}" for several in (ours, theirs)]
    memory = [f"{median(run.watch.peak.private for run in several):.0f}" for several in (ours, theirs)]
    ratio = times(rates[0], rates[1])
    return [
        str(ours[0].load),
        rate(rates[0]),
        rate(rates[1]),
        ratio,
        " / ".join(cpu),
        " / ".join(memory),
        rate(rates[2]),
    ]


def _line(run: Run) -> str:
    text = f"accepted {rate(run.accepted_per_second)}/s, end to end {rate(run.delivered_per_second)}/s"
    text += f", {run.delivered} of {run.load.messages}"
    return text + (", disturbed" if run.watch.disturbed else "") + (f", {run.error}" if run.error else "")
