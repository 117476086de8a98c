"""What a broken primary costs: how soon the first message is at the backup, and how fast mail flows from then on."""

from dataclasses import dataclass

from bench.faults import FAULTS, Fault
from bench.gateway import Gateway
from bench.load import Load, Run, Sink, drive, remarks
from bench.postfix import Postfix
from bench.report import Section, median, progress, rate

BURST = Load(messages=100)
STEADY = {Gateway.name: 10_000, Postfix.name: 2_000}
ROUNDS = 5
COLUMNS = ["primary", "first at backup", "then/s", "healthy/s", "of healthy", "extra ms each"]
COLUMNS += ["Postfix: first", "Postfix: then/s"]
PATIENCE = 60.0  # for the burst: ours gives a silent server 30 s
WINDOW = 15.0  # for the steady load


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """`steady` and `usual` took turns: the one with the broken primary, the other with one that is well."""

    burst: Run
    steady: list[Run]
    usual: list[Run]

    @property
    def first(self) -> str:
        return f"{self.burst.arrived[0][0]:.2f} s" if self.burst.arrived else f"not within {PATIENCE:.0f} s"

    @property
    def rates(self) -> tuple[float, float]:
        return median(map(_per_second, self.steady)), median(map(_per_second, self.usual))


def measure(*, quick: bool) -> Section:
    ours, rows = list[Run](), []
    for name, fault in FAULTS.items():
        costs = {relay.name: _cost(relay, fault, quick=quick) for relay in (Gateway, Postfix)}
        for relay, cost in costs.items():
            progress(f"failover: primary {name}, {relay}: first after {cost.first}, then {rate(cost.rates[0])}/s")
        mine, theirs = costs[Gateway.name], costs[Postfix.name]
        ours += mine.steady + mine.usual
        rows.append([name, mine.first, *_compared(*mine.rates), theirs.first, rate(theirs.rates[0])])
    return Section(
        title="Fallback",
        text=f"The primary is broken, the backup is well. A burst of {BURST.messages} messages meets the fault; then "
        f"comes a steady load over {BURST.sessions} kept sessions, {ROUNDS} times in turns with the same load on a "
        "gateway whose primary is well (medians). Time-outs and breakers are at their defaults on both sides; Postfix "
        "uses `smtp_fallback_relay`. Rates are what reached the backup.",
        columns=COLUMNS,
        rows=rows,
        remarks=remarks(ours),
    )


def _cost(relay: type[Gateway] | type[Postfix], fault: Fault, *, quick: bool) -> Cost:
    with fault() as primary, Sink() as backup, relay(primary=primary, backup=backup.port) as broken:
        burst = drive(broken, backup, BURST, deliver_within=PATIENCE)
        if relay is Postfix:  # what it does here is no matter of percents
            return Cost(burst=burst, steady=[_steady(broken, backup, quick=quick)], usual=[])
        with Sink() as sink, Sink() as spare, relay(primary=sink.port, backup=spare.port) as healthy:
            drive(healthy, sink, BURST)
            turns = [
                (_steady(broken, backup, quick=quick), _steady(healthy, sink, quick=quick))
                for _ in range(1 if quick else ROUNDS)
            ]
    return Cost(burst=burst, steady=[turn[0] for turn in turns], usual=[turn[1] for turn in turns])


def _steady(relay: Gateway | Postfix, sink: Sink, *, quick: bool) -> Run:
    load = Load(messages=STEADY[relay.name] // (5 if quick else 1))
    return drive(relay, sink, load, accept_within=WINDOW, deliver_within=WINDOW)


def _per_second(run: Run) -> float:
    """Until 99 % had arrived: the breaker's probes may hold some messages, and say nothing about the flow."""
    if seconds := run.seconds_until(0.99):
        return 0.99 * run.load.messages / seconds
    return run.delivered / run.watch.wall


def _compared(then: float, usual: float) -> list[str]:
    share = f"{100 * then / usual:.0f} %" if usual else "–"
    extra = f"{1000 / then - 1000 / usual:.2f}" if then and usual else "∞"
    return [rate(then), rate(usual), share, extra]
