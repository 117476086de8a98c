"""What a broken primary costs: how soon the first message is at the backup, and how fast mail flows from then on."""

from dataclasses import dataclass

from bench.faults import FAULTS, Fault
from bench.gateway import Gateway
from bench.load import Load, Run, Sink, drive, remarks
from bench.postfix import Postfix
from bench.report import Section, progress, rate

BURST = Load(messages=100)
STEADY = {Gateway.name: 15_000, Postfix.name: 2_000}
COLUMNS = ["primary", "first at backup", "then/s", "of healthy", "extra ms each", "Postfix: first", "Postfix: then/s"]
PATIENCE = 60.0  # for the burst: ours gives a silent server 30 s
WINDOW = 15.0  # for the steady load


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    burst: Run
    steady: Run

    @property
    def first(self) -> str:
        return f"{self.burst.arrived[0][0]:.2f} s" if self.burst.arrived else f"not within {PATIENCE:.0f} s"

    @property
    def per_second(self) -> float:
        """Until 99 % had arrived: the breaker's probes may hold some messages, and say nothing about the flow."""
        if seconds := self.steady.seconds_until(0.99):
            return 0.99 * self.steady.load.messages / seconds
        return self.steady.delivered / self.steady.watch.wall


def measure(*, quick: bool) -> Section:
    healthy = {relay.name: _healthy(relay, quick=quick).per_second for relay in (Gateway, Postfix)}
    ours = list[Run]()
    rows = [_row("none: healthy", healthy, "–", healthy, ["–", "–"])]
    for name, fault in FAULTS.items():
        costs = {relay.name: _cost(relay, fault, quick=quick) for relay in (Gateway, Postfix)}
        for relay, cost in costs.items():
            progress(f"failover: primary {name}, {relay}: first after {cost.first}, then {rate(cost.per_second)}/s")
        ours.append(costs[Gateway.name].steady)
        rates = {relay: cost.per_second for relay, cost in costs.items()}
        rows.append(_row(name, rates, _extra(rates, healthy), healthy, [cost.first for cost in costs.values()]))
    return Section(
        title="Fallback",
        text=f"The primary is broken, the backup is well. A burst of {BURST.messages} messages meets the fault; then "
        f"comes a steady load over {BURST.sessions} kept sessions. Time-outs and breakers are at their defaults on "
        "both sides; Postfix uses `smtp_fallback_relay`. Rates are what reached the backup.",
        columns=COLUMNS,
        rows=rows,
        remarks=remarks(ours),
    )


def _healthy(relay: type[Gateway] | type[Postfix], *, quick: bool) -> Cost:
    with Sink() as sink, Sink() as backup, relay(primary=sink.port, backup=backup.port) as running:
        drive(running, sink, BURST)
        return Cost(burst=drive(running, sink, BURST), steady=drive(running, sink, _steady(relay, quick=quick)))


def _cost(relay: type[Gateway] | type[Postfix], fault: Fault, *, quick: bool) -> Cost:
    with fault() as primary, Sink() as backup, relay(primary=primary, backup=backup.port) as running:
        burst = drive(running, backup, BURST, deliver_within=PATIENCE)
        return Cost(
            burst=burst,
            steady=drive(running, backup, _steady(relay, quick=quick), accept_within=WINDOW, deliver_within=WINDOW),
        )


def _steady(relay: type[Gateway] | type[Postfix], *, quick: bool) -> Load:
    return Load(messages=STEADY[relay.name] // (5 if quick else 1))


def _extra(rates: dict[str, float], healthy: dict[str, float]) -> str:
    ours, usual = rates[Gateway.name], healthy[Gateway.name]
    return f"{1000 / ours - 1000 / usual:.2f}" if ours and usual else "∞"


def _row(name: str, rates: dict[str, float], extra: str, healthy: dict[str, float], firsts: list[str]) -> list[str]:
    ours, theirs = rates[Gateway.name], rates[Postfix.name]
    share = f"{100 * ours / healthy[Gateway.name]:.0f} %" if healthy[Gateway.name] else "–"
    return [name, firsts[0], rate(ours), share, extra, firsts[1], rate(theirs)]
