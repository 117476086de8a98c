"""`python -m bench [NAME…] [--quick]`: the gateway and Postfix, measured in one run."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from bench import backlog, failover, footprint, http, latency, log, relay, sendmail, slowdisk, slowlink
from bench.postfix import Postfix
from bench.report import Section, progress, write

PAGE = Path(__file__).parent.parent / "docs" / "benchmark.md"


class Measurement(Protocol):
    def __call__(self, *, quick: bool) -> Section: ...


MEASUREMENTS: dict[str, Measurement] = {
    "relay": relay.measure,
    "failover": failover.measure,
    "latency": latency.measure,
    "http": http.measure,
    "slowlink": slowlink.measure,
    "slowdisk": slowdisk.measure,
    "backlog": backlog.measure,
    "log": log.measure,
    "footprint": footprint.measure,
    "sendmail": sendmail.measure,
}


def main() -> int:
    options = _parser().parse_args()
    # Stopped from outside we still stop whom we started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if missing := Postfix.missing():
        progress(f"! {missing}; there is nothing to compare with.")
        return 1
    failed = []
    for name in options.name or MEASUREMENTS:
        try:
            section = MEASUREMENTS[name](quick=options.quick)
        except (RuntimeError, OSError, TimeoutError, subprocess.SubprocessError) as error:
            progress(f"! {name} failed: {error}")
            failed.append(name)
            continue
        print(section.plain(), flush=True)
        if not options.quick:
            write(name, section, options.page)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "name", nargs="*", choices=[*MEASUREMENTS, []], help=f"which to run; all if none: {', '.join(MEASUREMENTS)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller and rougher, and docs/benchmark.md stays as it is"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="where the results are written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
